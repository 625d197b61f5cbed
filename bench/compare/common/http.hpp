// SPDX-License-Identifier: BSL-1.0
// common/http.hpp - the least HTTP/1.1 that is still HTTP: where a request ends, and the one
// response to all of them.
//
// The scanner needs no buffer: it carries how much of the blank line it has seen from one read to
// the next, so requests may come in pieces or many at once.  Requests with bodies are outside the
// workload (wrk sends none).
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace bench {

inline constexpr std::string_view http_response =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, World!\n";
/// The last of a connection.
inline constexpr std::string_view last_http_response =
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n"
    "Hello, World!\n";

class head_scanner {
 public:
  /// How many request heads end in `data`.
  std::size_t complete_in(std::string_view data) {
    constexpr std::string_view end = "\r\n\r\n";
    std::size_t complete = 0;
    for (const char c : data) {
      if (c == end[matched_]) {
        ++matched_;
      } else {
        matched_ = c == '\r' ? 1 : 0;
      }
      if (matched_ == end.size()) {
        matched_ = 0;
        ++complete;
      }
    }
    return complete;
  }

 private:
  std::size_t matched_ = 0;
};

inline void print_port(unsigned port) {
  std::printf("port=%u\n", port);
  std::fflush(stdout);
}

/// A socket on a port of the kernel's choice, which it says, for the subjects without a network
/// library.
inline int bind_somewhere(int type) {
  const int fd = socket(AF_INET, SOCK_CLOEXEC | type, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool listens = (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_STREAM;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      (listens && listen(fd, SOMAXCONN) != 0) ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::perror("bind");
    std::exit(1);
  }
  print_port(ntohs(address.sin_port));
  return fd;
}

/// The same, and it listens.
inline int listen_somewhere(int flags) { return bind_somewhere(SOCK_STREAM | flags); }

inline void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace bench
