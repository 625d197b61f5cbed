// SPDX-License-Identifier: BSL-1.0
// common/people_load.cpp - the load of http_postgres: each of so many connections asks for a
// person, reads the answer, checks the name, and asks for the next.
#include <string>

#include "common/load.hpp"

namespace {

constexpr std::uint32_t people = 1000;

struct connection {
  int fd = -1;
  std::uint32_t person = 0;
  std::string got;
  bench::clock::time_point asked;
};

void ask_next(connection& c) {
  c.person = (c.person * 1664525u + 1013904223u) % people + 1;
  char request[96];
  const int size = std::snprintf(request, sizeof request,
                                 "GET /?id=%u HTTP/1.1\r\nHost: localhost\r\n\r\n", c.person);
  c.got.clear();
  c.asked = bench::clock::now();
  if (send(c.fd, request, std::size_t(size), MSG_NOSIGNAL) != size) bench::fail("send");
}

// True: the answer is whole, and right.
bool receive(connection& c) {
  char buffer[1024];
  const ssize_t n = read(c.fd, buffer, sizeof buffer);
  if (n == 0) bench::refuse("the server ended a connection");
  if (n < 0) bench::fail("read");
  c.got.append(buffer, std::size_t(n));
  char wanted[32];
  std::snprintf(wanted, sizeof wanted, "\r\n\r\nperson %u\n", c.person);
  if (c.got.starts_with("HTTP/1.1 200 OK\r\n") && c.got.ends_with(wanted)) return true;
  const auto head = c.got.find("\r\n\r\n");
  if (head != c.got.npos && c.got.ends_with('\n') && head + 4 < c.got.size())
    bench::refuse(c.got.c_str());
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::load_arguments to(argc, argv);
  std::vector<connection> all(static_cast<std::size_t>(std::atoi(to.connections)));
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (connection& c : all) {
    c.fd = bench::connected_socket(to, SOCK_STREAM, epoll, &c);
    c.person = std::uint32_t(&c - all.data());
  }
  bench::say_connected();
  bench::answer_times times;
  const auto start = bench::clock::now();
  for (connection& c : all) ask_next(c);
  const auto ready = [&](connection& c) {
    if (!receive(c)) return;
    times.add(c.asked);
    ask_next(c);
  };
  bench::run_load<connection>(epoll, start + to.time, ready, std::chrono::seconds(1), [] {});
  times.report(start, "req/s");
}
