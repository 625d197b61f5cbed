// SPDX-License-Identifier: BSL-1.0
// echo: a thread per connection, blocking calls.
#include "common/thread_server.hpp"

int main(int argc, char** argv) {
  bench::begin_threads(bench::parse(argc, argv, {}));
  return bench::run_thread_server([](int fd) {
    char buffer[512];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
      if (!bench::write_all(fd, {buffer, std::size_t(n)})) return;
  });
}
