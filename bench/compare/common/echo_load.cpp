// SPDX-License-Identifier: BSL-1.0
// common/echo_load.cpp - the load of echo: each of so many connections sends 64 bytes, waits until
// they are back, checks them, and sends the next.
#include <array>
#include <cstring>

#include "common/load.hpp"

namespace {

constexpr std::size_t message_size = 64;

struct connection {
  int fd = -1;
  std::uint64_t number = 0;  // of its message, which begins with it
  std::size_t got = 0;
  bench::clock::time_point sent;
  std::array<char, message_size> back;
};

void send_next(connection& c) {
  char message[message_size] = {};
  ++c.number;
  std::memcpy(message, &c.number, sizeof c.number);
  c.got = 0;
  c.sent = bench::clock::now();
  if (send(c.fd, message, sizeof message, MSG_NOSIGNAL) != message_size) bench::fail("send");
}

// True: its message is back.
bool receive(connection& c) {
  const ssize_t n = read(c.fd, c.back.data() + c.got, message_size - c.got);
  if (n == 0) bench::refuse("the server ended a connection");
  if (n < 0) bench::fail("read");
  c.got += std::size_t(n);
  if (c.got < message_size) return false;
  if (std::memcmp(c.back.data(), &c.number, sizeof c.number) != 0)
    bench::refuse("another message came back");
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::load_arguments to(argc, argv);
  std::vector<connection> all(static_cast<std::size_t>(std::atoi(to.connections)));
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (connection& c : all) c.fd = bench::connected_socket(to, SOCK_STREAM, epoll, &c);
  bench::say_connected();
  bench::answer_times times;
  const auto start = bench::clock::now();
  for (connection& c : all) send_next(c);
  const auto ready = [&](connection& c) {
    if (!receive(c)) return;
    times.add(c.sent);
    send_next(c);
  };
  bench::run_load<connection>(epoll, start + to.time, ready, std::chrono::seconds(1), [] {});
  times.report(start, "msg/s");
}
