// SPDX-License-Identifier: BSL-1.0
// http: a thread per connection, blocking calls.
#include "common/thread_server.hpp"

int main(int argc, char** argv) {
  bench::begin_threads(bench::parse(argc, argv, {}));
  return bench::run_thread_server([](int connection) {
    bench::serve_http(connection,
                      [](int fd) { return bench::write_all(fd, bench::http_response); });
  });
}
