// SPDX-License-Identifier: BSL-1.0
// echo: one thread, one level-triggered epoll loop, whatever WORKERS says. What the kernel does not
// take at once ends the connection: the load sends no more than 64 bytes before it has read.
#include "common/epoll.hpp"

int main(int argc, char** argv) {
  bench::parse(argc, argv, {});
  bench::version("linux");
  const int listener = bench::listen_somewhere(SOCK_NONBLOCK);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  bench::watch(epoll, listener);
  epoll_event events[512];
  char buffer[512];
  for (;;) {
    const int ready = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        bench::accept_watched(epoll, listener);
        continue;
      }
      const ssize_t n = read(fd, buffer, sizeof buffer);
      if (n <= 0 || send(fd, buffer, std::size_t(n), MSG_NOSIGNAL) != n) close(fd);
    }
  }
}
