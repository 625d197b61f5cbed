// SPDX-License-Identifier: BSL-1.0
// README's echo server, as it is written there but for the port: clients come, reset the connection
// in the middle of everything, and the next one is served.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <system_error>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/weft.hpp>

namespace {

std::uint16_t free_port() {
  weft::net::tcp_listener any(weft::net::endpoint("127.0.0.1", 0));
  return any.local_endpoint().port();
}

void serve() {
  static const std::uint16_t port = free_port();
  weft::spawn([] {
#include "readme_server.hpp"
  }).detach();

  const auto connect = [] {
    for (;;) try {
        return weft::net::tcp_stream::connect(weft::net::endpoint("127.0.0.1", port));
      } catch (const std::system_error&) {  // it does not listen yet
        weft::this_fiber::yield();
      }
  };
  const std::array<std::byte, 4096> question{};
  std::array<std::byte, 4096> answer{};
  for (int round = 0; round < 30; ++round) {
    weft::net::tcp_stream stream = connect();
    // Not read: so much comes back that the server is in the middle of a write.
    for (int i = 0; i < round; ++i) stream.write_all(question);
    const linger reset{1, 0};
    setsockopt(stream.native_handle(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    stream.close();
    weft::net::tcp_stream good = connect();
    good.write_all(std::span(question).first(1));
    if (good.read_some(answer) != 1) std::abort();
  }
}

}  // namespace

int main() {
  weft::options o;
  o.workers = 2;
  weft::run(o, [] {
    serve();
    std::puts("the server survived 30 resets");
    std::fflush(stdout);
    _exit(0);  // README's loop has no end
  });
}
