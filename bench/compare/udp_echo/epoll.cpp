// SPDX-License-Identifier: BSL-1.0
// udp_echo: one thread, one edge-triggered epoll loop that reads until nothing is left, whatever
// WORKERS says.
#include "common/epoll.hpp"

int main(int argc, char** argv) {
  bench::parse(argc, argv, {});
  bench::version("linux");
  const int fd = bench::bind_somewhere(SOCK_DGRAM | SOCK_NONBLOCK);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  bench::watch(epoll, fd, EPOLLIN | EPOLLET);
  char buffer[2048];
  for (;;) {
    epoll_event event;
    epoll_wait(epoll, &event, 1, -1);
    for (;;) {
      sockaddr_in from{};
      socklen_t length = sizeof from;
      auto* const peer = reinterpret_cast<sockaddr*>(&from);
      const ssize_t n = recvfrom(fd, buffer, sizeof buffer, 0, peer, &length);
      if (n < 0) break;
      sendto(fd, buffer, std::size_t(n), 0, peer, length);
    }
  }
}
