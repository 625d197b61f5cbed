// SPDX-License-Identifier: BSL-1.0
// echo: a thread per connection, blocking calls.
#include "common/thread.hpp"
#include "common/http.hpp"

namespace {

void serve(int fd) {
  bench::no_delay(fd);
  char buffer[512];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
    for (ssize_t done = 0, more; done < n; done += more)
      if ((more = send(fd, buffer + done, std::size_t(n - done), MSG_NOSIGNAL)) < 0) {
        close(fd);
        return;
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
