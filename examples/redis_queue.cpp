// SPDX-License-Identifier: BSL-1.0
// redis_queue - processes that share work through a Redis stream, and may be killed at any moment.
//
//   redis_queue add --count 1000     puts jobs into the stream
//   redis_queue work --fibers 8      does them: as many processes, on as many machines as you like
//
// A job that was handed out stays pending at Redis until it is acknowledged, together with its
// result, in one script. What a process that died had in hand, others claim after --claim-ms.
// So nothing is lost; a job may be begun twice, but its result is there once. A worker that loses
// Redis says so, and tries again every second.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <stop_token>
#include <string>

#include <weft/weft.hpp>

#include "redis.hpp"

namespace {

struct settings {
  std::string host = "127.0.0.1", stream = "jobs";
  int port = 6379, count = 1000, fibers = 8, claim_ms = 1000, work_ms = 5;
};

// The acknowledgement, and the result with it; a second one changes nothing.
constexpr const char* finish =
    "if redis.call('XACK', KEYS[1], 'workers', ARGV[1]) == 1 then"
    "  redis.call('XDEL', KEYS[1], ARGV[1])"
    "  redis.call('HINCRBY', KEYS[2], ARGV[2], 1)"
    " end";

// entries: {{id, {"job", value}}, ...}
void work_through(redis::client& db, const settings& s, const redisReply& entries) {
  for (std::size_t i = 0; i < entries.elements; ++i) {
    const redisReply& entry = *entries.element[i];
    if (entry.elements != 2 || entry.element[1]->elements != 2) continue;  // deleted meanwhile
    weft::this_fiber::sleep_for(std::chrono::milliseconds(s.work_ms));     // stands for the work
    db.command("EVAL %s 2 %s %s:results %s %s", finish, s.stream.c_str(), s.stream.c_str(),
               entry.element[0]->str, entry.element[1]->element[1]->str);
  }
}

void work(const settings& s, const std::string& me, const std::stop_token& stop) {
  redis::client db(s.host, s.port);
  while (!stop.stop_requested()) {
    const redis::reply left = db.command("XAUTOCLAIM %s workers %s %d 0 COUNT 4", s.stream.c_str(),
                                         me.c_str(), s.claim_ms);
    work_through(db, s, *left->element[1]);
    const redis::reply fresh = db.command(
        "XREADGROUP GROUP workers %s COUNT 4 BLOCK 300 STREAMS %s >", me.c_str(), s.stream.c_str());
    if (fresh->type == REDIS_REPLY_ARRAY) work_through(db, s, *fresh->element[0]->element[1]);
  }
}

void keep_working(const settings& s, int number, const std::stop_token& stop) {
  const std::string me = std::to_string(::getpid()) + "-" + std::to_string(number);
  while (!stop.stop_requested()) try {
      work(s, me, stop);
    } catch (const std::runtime_error& e) {
      fmt::print(stderr, "worker {}: {}\n", me, e.what());
      weft::this_fiber::sleep_for(stop, std::chrono::seconds(1));
    }
}

int work_until_signal(const settings& s, weft::signal_set& end) {
  try {
    redis::client(s.host, s.port).command("XGROUP CREATE %s workers 0 MKSTREAM", s.stream.c_str());
  } catch (const std::runtime_error& e) {
    if (std::string(e.what()).find("BUSYGROUP") == std::string::npos) throw;  // it is there already
  }
  std::puts("working");
  std::fflush(stdout);
  std::stop_source stop;
  weft::scope workers;
  workers.spawn([&] {  // ends, too, if a worker fails for good
    if (end.wait(weft::this_fiber::stop_token())) stop.request_stop();
  });
  for (int i = 0; i < s.fibers; ++i)
    workers.spawn([&, i] { keep_working(s, i, stop.get_token()); });
  workers.join();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app{"A work queue in Redis that loses nothing."};
  app.require_subcommand(1);
  app.add_option("--host", s.host, "Redis's address (127.0.0.1)");
  app.add_option("--port", s.port, "Redis's port (6379)");
  app.add_option("--stream", s.stream, "the stream's key (jobs); results are at KEY:results");
  CLI::App* const adds = app.add_subcommand("add", "put jobs into the queue");
  adds->add_option("--count", s.count, "how many")->check(CLI::PositiveNumber);
  CLI::App* const works = app.add_subcommand("work", "do jobs until SIGTERM");
  works->add_option("--fibers", s.fibers, "jobs at once")->check(CLI::PositiveNumber);
  works->add_option("--work-ms", s.work_ms, "what a job takes")->check(CLI::NonNegativeNumber);
  works->add_option("--claim-ms", s.claim_ms, "a job not done for so long is taken over")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    weft::signal_set end{SIGTERM, SIGINT};
    return weft::run([&] {
      if (*works) return work_until_signal(s, end);
      redis::client db(s.host, s.port);
      for (int i = 0; i < s.count; ++i) db.command("XADD %s * job %d", s.stream.c_str(), i);
      fmt::print("{} jobs added\n", s.count);
      return 0;
    });
  } catch (const std::exception& e) {
    fmt::print(stderr, "redis_queue: {}\n", e.what());
    return 1;
  }
}
