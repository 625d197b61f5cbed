// SPDX-License-Identifier: BSL-1.0
// udp_echo: one fiber takes as many messages as are there, and sends them back together.
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
    using socket_type = weft::net::udp_socket;
    socket_type socket(weft::net::endpoint("127.0.0.1", 0));
    bench::print_port(socket.local_endpoint().port());
    static std::array<std::array<std::byte, 2048>, 32> buffers;
    std::array<socket_type::incoming, buffers.size()> in;
    std::array<socket_type::outgoing, buffers.size()> out;
    for (std::size_t i = 0; i < in.size(); ++i) in[i].space = buffers[i];
    for (;;) {
      std::error_code ec;
      const std::size_t count = socket.receive_batch(in, ec);
      for (std::size_t i = 0; i < count; ++i)
        out[i] = {std::span<const std::byte>(buffers[i]).first(in[i].got.size), in[i].got.from};
      for (auto left = std::span<const socket_type::outgoing>(out).first(count); !left.empty();) {
        const std::size_t sent = socket.send_batch(left, ec);
        left = left.subspan(ec ? sent + 1 : sent);  // one whose receiver is gone is dropped
      }
    }
    return 0;
  });
}
