// SPDX-License-Identifier: BSL-1.0
// common/thread_server.hpp - a server of std::threads with blocking calls: one for each connection.
#pragma once

#include "common/http.hpp"
#include "common/thread.hpp"

namespace bench {

/// False if the connection is over.
inline bool write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (n < 0) return false;
    data.remove_prefix(std::size_t(n));
  }
  return true;
}

/// Serves the requests of one connection: answer(fd) sends what one of them gets, and returns false
/// if the connection is over.
template <class Answer>
void serve_http(int fd, Answer answer) {
  head_scanner scanner;
  char buffer[4096];
  for (bool alive = true; alive;) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    for (auto left = scanner.complete_in({buffer, std::size_t(n)}); left > 0 && alive; --left)
      alive = answer(fd);
  }
}

/// Prints the port of a listener and runs serve(fd) in a thread for each connection, which is
/// closed after it. Returns what main does.
template <class Serve>
int run_thread_server(Serve serve) {
  const int listener = listen_somewhere(0);
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      std::perror("accept");
      return 1;
    }
    std::thread([serve, fd] {
      no_delay(fd);
      serve(fd);
      close(fd);
    }).detach();
  }
}

}  // namespace bench
