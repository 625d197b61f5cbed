// SPDX-License-Identifier: BSL-1.0
// http10k: http/thread.cpp, and each request waits 10 ms: a sleep of its thread.
#include <chrono>

#include "common/http.hpp"
#include "common/thread.hpp"

namespace {

bool write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (n < 0) return false;
    data.remove_prefix(std::size_t(n));
  }
  return true;
}

void serve(int fd) {
  bench::no_delay(fd);
  bench::head_scanner scanner;
  char buffer[4096];
  bool alive = true;
  while (alive) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    for (auto left = scanner.complete_in({buffer, std::size_t(n)}); left > 0 && alive; --left) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      alive = write_all(fd, bench::http_response);
    }
  }
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  bench::begin_threads(bench::parse(argc, argv, {}));
  const int listener = bench::listen_somewhere(0);
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      std::perror("accept");
      return 1;
    }
    std::thread(serve, fd).detach();
  }
}
