// SPDX-License-Identifier: BSL-1.0
// http10k: http/thread.cpp, and each request waits 10 ms: a sleep of its thread.
#include <chrono>

#include "common/thread_server.hpp"

int main(int argc, char** argv) {
  bench::begin_threads(bench::parse(argc, argv, {}));
  return bench::run_thread_server([](int connection) {
    bench::serve_http(connection, [](int fd) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      return bench::write_all(fd, bench::http_response);
    });
  });
}
