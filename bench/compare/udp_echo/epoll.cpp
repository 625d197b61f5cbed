// SPDX-License-Identifier: BSL-1.0
// udp_echo: one thread, one edge-triggered epoll loop that reads until nothing is left, whatever
// WORKERS says.
#include <sys/epoll.h>

#include "common/bench.hpp"
#include "common/http.hpp"

int main(int argc, char** argv) {
  bench::parse(argc, argv, {});
  bench::version("linux");
  const int fd = bench::bind_somewhere(SOCK_DGRAM | SOCK_NONBLOCK);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    std::perror("epoll_ctl");
    return 1;
  }
  char buffer[2048];
  for (;;) {
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
