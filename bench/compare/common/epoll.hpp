// SPDX-License-Identifier: BSL-1.0
// common/epoll.hpp - what the servers that are one epoll loop share.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "common/bench.hpp"
#include "common/http.hpp"

namespace bench {

/// The loop `epoll` watches a descriptor; `operation` changes what it watches.
inline void watch(int epoll, int fd, std::uint32_t events = EPOLLIN,
                  int operation = EPOLL_CTL_ADD) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll, operation, fd, &event) != 0) {
    std::perror("epoll_ctl");
    std::exit(1);
  }
}

/// A connection that the loop watches, or -1 if none is there.
inline int accept_watched(int epoll, int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return -1;
  no_delay(fd);
  watch(epoll, fd);
  return fd;
}

}  // namespace bench
