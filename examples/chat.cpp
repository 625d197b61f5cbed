// SPDX-License-Identifier: BSL-1.0
// chat - a room: each line a client sends reaches all others. `nc 127.0.0.1 8080` is a client. The
// room tells each client its number when it has entered.
//
//   reader   (a fiber per client)  takes lines, and puts them into everybody's queue
//   writer   (a fiber per client)  takes from its queue, and writes
//
// Back-pressure: queues are bounded. A reader that finds one full waits for room, so whoever talks
// faster than the others read is slowed down, by TCP in the end. Clients that make the room wait
// longer than `patience` for one line are put out, all at once: those that never read stop nobody
// for longer. A client that vanished without a word is found by TCP's keep-alive.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "server.hpp"

namespace {

using line = std::shared_ptr<const std::string>;  // one copy, however many queues it is in
constexpr std::size_t longest_line = 4096, room_of_queue = 256;

struct member {
  explicit member(weft::net::tcp_stream s) : stream(std::move(s)) {}
  weft::net::tcp_stream stream;
  weft::channel<line> queue{room_of_queue};
};

class chat_room {
 public:
  explicit chat_room(std::chrono::milliseconds patience) : patience_(patience) {}

  int enter(const std::shared_ptr<member>& m) {
    const std::lock_guard guard(lock_);
    members_.emplace(++last_, m);
    return last_;
  }
  void leave(int number) {
    const std::lock_guard guard(lock_);
    if (const auto gone = members_.extract(number))
      gone.mapped()->queue.close();  // its writer ends
  }
  void say(int from, std::string text) {
    const line said = std::make_shared<const std::string>(std::move(text));
    std::vector<std::shared_ptr<member>> others;
    {
      const std::lock_guard guard(lock_);  // not held while we wait for room
      for (const auto& [number, m] : members_)
        if (number != from) others.push_back(m);
    }
    const auto end = std::chrono::steady_clock::now() + patience_;  // for all of them together
    for (const auto& m : others)
      if (m->queue.send_until(line(said), end).status() == weft::channel_status::timeout)
        m->stream.close();  // its reader ends, and with it the client's place
  }

 private:
  const std::chrono::milliseconds patience_;
  weft::mutex lock_;
  std::map<int, std::shared_ptr<member>> members_;
  int last_ = 0;
};

struct place {  // whatever ends it, nobody waits for the member any more
  ~place() { room.leave(number); }
  chat_room& room;
  const int number;
};

void write_queue(member& m, std::chrono::milliseconds patience) {
  std::error_code ec;
  while (const auto text = m.queue.receive(weft::this_fiber::stop_token())) {
    m.stream.set_write_deadline(std::chrono::steady_clock::now() + patience);
    m.stream.write_all(std::as_bytes(std::span(**text)), ec);
    if (ec) break;
  }
  m.queue.close();  // nobody waits for room in it any more
  m.stream.close();
}

// Control characters, which a terminal would obey, become "?". Left out, they could make others out
// of what is around them.
std::string harmless(std::string text) {
  if (text.ends_with('\r')) text.pop_back();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto rest = std::string_view(text).substr(i);
    const bool c1 = rest >= "\xc2\x80" && rest < "\xc2\xa0";  // U+0080 to U+009F in UTF-8
    if (c1 || (rest < " " && rest[0] != '\t') || rest[0] == '\x7f')
      text.replace(i, c1 ? 2 : 1, "?");
  }
  return text;
}

void read_lines(chat_room& room, int number, weft::net::tcp_stream& stream) {
  std::array<char, 4096> buffer;
  std::string begun;
  std::error_code ec;
  for (;;) {
    const std::size_t n = stream.read_some(std::as_writable_bytes(std::span(buffer)), ec);
    if (n == 0) return;
    begun.append(buffer.data(), n);
    std::size_t begin = 0;
    for (std::size_t end; (end = begun.find('\n', begin)) != begun.npos; begin = end + 1)
      room.say(number, fmt::format("{}: {}\n", number, harmless(begun.substr(begin, end - begin))));
    begun.erase(0, begin);
    if (begun.size() > longest_line) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  examples::server_options server;
  server.grace = std::chrono::milliseconds(0);  // conversations have no end to wait for
  int patience_ms = 1000;
  CLI::App app{"A chat room: each line a client sends reaches all others."};
  examples::add_server_options(app, server);
  app.add_option("--patience-ms", patience_ms, "so long the room waits for a client that is slow")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const std::chrono::milliseconds patience(patience_ms);
  chat_room room(patience);
  return examples::run_server("chat", server, [&](weft::net::tcp_stream s, std::stop_token) {
    s.set_keep_alive(weft::net::keep_alive{});
    const auto me = std::make_shared<member>(std::move(s));
    weft::scope writer;
    writer.spawn([&] { write_queue(*me, patience); });
    const int number = room.enter(me);
    {
      const place mine{room, number};
      room.say(number, fmt::format("{} has come\n", number));
      me->queue.send(std::make_shared<const std::string>(fmt::format("you are {}\n", number)));
      read_lines(room, number, me->stream);
    }
    room.say(number, fmt::format("{} has gone\n", number));
  });
}
