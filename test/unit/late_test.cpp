// SPDX-License-Identifier: BSL-1.0
// What is late beside what: the table that tools/compare prints with Go beside it (late_*), here
// with bounds that a busy machine keeps. A ticker, a pair at a channel, a spawn from outside and a
// socket, each beside fibers of six kinds that do not let others run, at 1, 2 and 8 workers.
//
// What is asked of each is one good attempt: the median of its lateness is below the bound once in
// ten seconds. If there is none, the machine is asked: how long a plain thread takes for three
// slices of CPU time beside the same fibers is allowed, too. What was wrong, when it was, was late
// always, by tens of milliseconds or for ever.
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

using clock = std::chrono::steady_clock;
using lateness = std::vector<clock::duration>;

constexpr int rounds = 11;
constexpr std::size_t hogs = 3;
// As long as three fibers of a slice each: who is served in turn is not later than that.
constexpr auto bound = 30ms;

void pause_thread(std::chrono::nanoseconds t) {
  const timespec pause{0, static_cast<long>(t.count())};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
}

// ---- beside what: a step of it
void calls_nothing() {}
void blocks() { pause_thread(2ms); }
void tries() {
  static weft::channel<int> c(1);
  static_cast<void>(c.try_send(1));
  static_cast<void>(c.try_receive());
}
void locks() {
  weft::mutex m;
  m.lock();
  m.unlock();
}
void spawns() {
  weft::spawn([] {}).join();
}
void yields() {
  for (const auto end = clock::now() + 20us; clock::now() < end;) continue;
  weft::this_fiber::yield();
}
using step = void (*)();
constexpr std::pair<const char*, step> kinds[] = {
    {"loops", &calls_nothing},         {"blocking calls", &blocks},   {"try_ operations", &tries},
    {"locks of a free mutex", &locks}, {"spawns and joins", &spawns}, {"yields", &yields}};

// ---- what is late
lateness ticker(weft::runtime& rt) {
  return rt
      .spawn([] {
        lateness late;
        for (int i = 0; i < rounds; ++i) {
          const auto due = clock::now() + 1ms;
          weft::this_fiber::sleep_until(due);
          late.push_back(clock::now() - due);
        }
        return late;
      })
      .join();
}
lateness pair(weft::runtime& rt) {
  return rt
      .spawn([] {
        weft::channel<int> there(0), back(0);
        auto echo = weft::spawn([&] {
          while (const auto v = there.receive()) back.send(*v);
        });
        lateness late;
        for (int i = 0; i < rounds; ++i) {
          const auto at = clock::now();
          there.send(i);
          static_cast<void>(back.receive());
          late.push_back(clock::now() - at);
        }
        there.close();
        echo.join();
        return late;
      })
      .join();
}
lateness spawn_from_outside(weft::runtime& rt) {
  lateness late;
  for (int i = 0; i < rounds; ++i) {
    pause_thread(1ms);
    const auto at = clock::now();
    late.push_back(rt.spawn([] { return clock::now(); }).join() - at);
  }
  return late;
}
lateness socket_reader(weft::runtime& rt) {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  auto reader = rt.spawn([&] {
    auto stream = weft::net::tcp_stream::adopt(ends[0]);
    lateness late;
    clock::time_point sent;
    std::error_code ec;
    while (stream.read_exactly(std::as_writable_bytes(std::span(&sent, 1)), ec) == sizeof sent)
      late.push_back(clock::now() - sent);
    return late;
  });
  for (int i = 0; i < rounds; ++i) {
    pause_thread(1ms);
    const auto now = clock::now();
    CHECK(::write(ends[1], &now, sizeof now) == sizeof now);
  }
  ::close(ends[1]);
  return reader.join();
}

// For the CPU time of `bound`, on a thread of its own.
clock::duration time_of_a_thread() {
  const auto begin = clock::now();
  std::thread([] {
    const auto used = thread_cpu_time();
    while (thread_cpu_time() - used < bound) continue;
  }).join();
  return clock::now() - begin;
}

clock::duration median(lateness late) {
  std::sort(late.begin(), late.end());
  return late.empty() ? clock::duration::max() : late[late.size() / 2];
}

void is_in_time(const char* what, lateness (*watch)(weft::runtime&)) {
  for (const std::size_t n : worker_counts)
    for (const auto& [name, one_step] : kinds) {
      const char* const kind = name;  // for the message, which is a lambda
      if (WEFT_TSAN != 0 && one_step == &calls_nothing) continue;  // no_preemption_here
      weft::runtime rt(workers(n));
      std::atomic<bool> over{false};
      std::vector<weft::fiber<void>> beside;
      for (std::size_t i = 0; i < hogs; ++i)
        beside.push_back(rt.spawn([&over, go = one_step] {
          while (!over.load(std::memory_order_relaxed)) go();
        }));
      clock::duration best = clock::duration::max();
      clock::duration allowed = bound;
      for (const auto limit = clock::now() + 10s; best > bound && clock::now() < limit;)
        best = std::min(best, median(watch(rt)));
      for (int i = 0; i < 20 && best > allowed; ++i) {
        allowed = std::max(allowed, time_of_a_thread());
        best = std::min(best, median(watch(rt)));
      }
      over.store(true, std::memory_order_relaxed);
      for (auto& f : beside) f.join();
      CHECK_MESSAGE(best <= allowed,
                    what << " beside " << kind << ", workers " << n << ": " << best / 1us << " us");
    }
}

}  // namespace

TEST_CASE("a ticker") { is_in_time("a ticker", &ticker); }
TEST_CASE("two fibers at a channel") { is_in_time("a pair", &pair); }
TEST_CASE("a spawn from outside") { is_in_time("a spawn", &spawn_from_outside); }
TEST_CASE("a socket") { is_in_time("a socket", &socket_reader); }
