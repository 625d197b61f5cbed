// SPDX-License-Identifier: BSL-1.0
// udp_echo: one fiber sends each message back to where it came from.
#include <array>
#include <cstddef>
#include <span>
#include <system_error>

#include <weft/net/udp.hpp>

#include "common/http.hpp"
#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto arguments = bench::parse(argc, argv, {});
  return bench::run_weft(arguments.workers, [] {
    weft::net::udp_socket socket(weft::net::endpoint("127.0.0.1", 0));
    bench::print_port(socket.local_endpoint().port());
    std::array<std::byte, 2048> buffer;
    std::error_code ec;  // of one message, such as one whose sender is gone
    for (;;) {
      const auto got = socket.receive(buffer, ec);
      if (!ec) socket.send_to(std::span(buffer).first(got.size), got.from, ec);
    }
    return 0;
  });
}
