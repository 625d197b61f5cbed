// SPDX-License-Identifier: BSL-1.0
// udp_echo: one thread, blocking calls.
#include "common/thread.hpp"
#include "common/http.hpp"

int main(int argc, char** argv) {
  bench::begin_threads(bench::parse(argc, argv, {}));
  const int fd = bench::bind_somewhere(SOCK_DGRAM);
  char buffer[2048];
  for (;;) {
    sockaddr_in from{};
    socklen_t length = sizeof from;
    auto* const peer = reinterpret_cast<sockaddr*>(&from);
    const ssize_t n = recvfrom(fd, buffer, sizeof buffer, 0, peer, &length);
    if (n >= 0) sendto(fd, buffer, std::size_t(n), 0, peer, length);
  }
}
