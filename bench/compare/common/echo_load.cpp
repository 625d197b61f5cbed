// SPDX-License-Identifier: BSL-1.0
// common/echo_load.cpp - the load of the echo workload: one thread, so many connections, each of
// which sends 64 bytes, waits until they are back, checks them, and sends the next.
//
//   echo_load PORT CONNECTIONS SECONDS   prints rate=, p50= and p99= as tools/compare reads them
#include <sys/epoll.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

#include "common/bench.hpp"
#include "common/http.hpp"

namespace {

using clock_type = std::chrono::steady_clock;
constexpr std::size_t message_size = 64;

struct connection {
  int fd = -1;
  std::uint64_t number = 0;  // of its message, which begins with it
  std::size_t got = 0;
  clock_type::time_point sent;
  std::array<char, message_size> back;
};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void send_next(connection& c) {
  char message[message_size] = {};
  ++c.number;
  std::memcpy(message, &c.number, sizeof c.number);
  c.got = 0;
  c.sent = clock_type::now();
  if (send(c.fd, message, sizeof message, MSG_NOSIGNAL) != message_size) fail("send");
}

// True: its message is back.
bool receive(connection& c) {
  const ssize_t n = read(c.fd, c.back.data() + c.got, message_size - c.got);
  if (n <= 0) fail("read");
  c.got += std::size_t(n);
  if (c.got < message_size) return false;
  if (std::memcmp(c.back.data(), &c.number, sizeof c.number) != 0) {
    std::fprintf(stderr, "another message came back\n");
    std::exit(1);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s PORT CONNECTIONS SECONDS\n", argv[0]);
    return 2;
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  std::vector<connection> all(static_cast<std::size_t>(std::atoi(argv[2])));
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (connection& c : all) {
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c.fd < 0 || connect(c.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      fail("connect");
    bench::no_delay(c.fd);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = &c;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c.fd, &e) != 0) fail("epoll_ctl");
  }
  std::vector<std::int64_t> took;
  took.reserve(1 << 22);
  const auto start = clock_type::now();
  const auto end = start + std::chrono::seconds(std::atoi(argv[3]));
  for (connection& c : all) send_next(c);
  epoll_event events[512];
  auto now = clock_type::now();
  while (now < end) {
    const int n = epoll_wait(epoll, events, 512, 1000);
    now = clock_type::now();
    for (int i = 0; i < n; ++i) {
      auto& c = *static_cast<connection*>(events[i].data.ptr);
      if (!receive(c)) continue;
      took.push_back((clock_type::now() - c.sent).count());
      send_next(c);
    }
  }
  if (took.empty()) {
    std::fprintf(stderr, "nothing came back\n");
    return 1;
  }
  const double seconds = std::chrono::duration<double>(now - start).count();
  std::sort(took.begin(), took.end());
  std::printf("rate=%.0f msg/s\n", static_cast<double>(took.size()) / seconds);
  std::printf("p50=%.3f ms\n", static_cast<double>(took[took.size() / 2]) / 1e6);
  std::printf("p99=%.3f ms\n", static_cast<double>(took[took.size() * 99 / 100]) / 1e6);
}
