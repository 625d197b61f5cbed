// SPDX-License-Identifier: BSL-1.0
// common/udp_load.cpp - the load of udp_echo: CONNECTIONS is CLIENTSxOUTSTANDING, such as 64x4.
// Each client, a socket of its own, has so many messages of 64 bytes under way, and sends the next
// for each that came back.
//
// A message that is not back in 200 ms is sent again: UDP may lose it. How many were is a metric.
#include <array>
#include <cstring>

#include "common/load.hpp"

namespace {

constexpr auto lost_after = std::chrono::milliseconds(200);

struct message {
  std::uint64_t slot = 0;
  std::uint64_t number = 0;
  std::array<char, 48> rest{};
};
static_assert(sizeof(message) == 64);

struct under_way {
  std::uint64_t number = 0;
  bench::clock::time_point sent;
};

struct client {
  int fd = -1;
  std::vector<under_way> messages;

  void send_next(std::size_t slot) {
    messages[slot] = {messages[slot].number + 1, bench::clock::now()};
    message m;
    m.slot = slot;
    m.number = messages[slot].number;
    // A full queue is a message that was lost.
    if (send(fd, &m, sizeof m, 0) < 0 && errno != EAGAIN && errno != ENOBUFS) bench::fail("send");
  }
  // False: nothing is there any more.
  bool receive(bench::answer_times& times) {
    message m;
    const ssize_t n = recv(fd, &m, sizeof m, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return false;
    if (n < 0) bench::fail("recv");
    if (n != sizeof m || m.slot >= messages.size()) bench::refuse("another message came back");
    if (m.number != messages[m.slot].number) return true;  // late: it was sent again
    times.add(messages[m.slot].sent);
    send_next(m.slot);
    return true;
  }
};

}  // namespace

int main(int argc, char** argv) {
  const bench::load_arguments to(argc, argv);
  char* rest = nullptr;
  std::vector<client> all(std::strtoul(to.connections, &rest, 10));
  const std::size_t outstanding = *rest == 'x' ? std::strtoul(rest + 1, nullptr, 10) : 1;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (client& c : all) {
    c.fd = bench::connected_socket(to, SOCK_DGRAM, epoll, &c);
    c.messages.resize(outstanding);
  }
  bench::say_connected();
  bench::answer_times times;
  std::int64_t again = 0;
  const auto start = bench::clock::now();
  auto looked = start;
  for (client& c : all)
    for (std::size_t i = 0; i < outstanding; ++i) c.send_next(i);
  const auto ready = [&](client& c) {
    for (std::size_t i = 0; i < outstanding && c.receive(times); ++i) {
    }
  };
  const auto look = [&] {
    const auto now = bench::clock::now();
    if (now - looked < lost_after / 4) return;
    looked = now;
    for (client& c : all)
      for (std::size_t i = 0; i < outstanding; ++i)
        if (now - c.messages[i].sent > lost_after) {
          c.send_next(i);
          ++again;
        }
  };
  bench::run_load<client>(epoll, start + to.time, ready, lost_after / 4, look);
  times.report(start, "msg/s");
  bench::metric("lost", double(again), "messages");
}
