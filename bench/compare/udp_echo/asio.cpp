// SPDX-License-Identifier: BSL-1.0
// udp_echo: one coroutine sends each message back to where it came from.
#include "common/asio.hpp"

namespace asio = bench::asio;
using asio::ip::udp;

int main(int argc, char** argv) {
  const auto arguments = bench::parse(argc, argv, {});
  bench::asio_version();
  asio::io_context context(static_cast<int>(arguments.workers));
  udp::socket socket(context, {asio::ip::address_v4::loopback(), 0});
  bench::print_port(socket.local_endpoint().port());
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        char buffer[2048];
        udp::endpoint from;
        for (;;) {
          const std::size_t n =
              co_await socket.async_receive_from(asio::buffer(buffer), from, asio::use_awaitable);
          co_await socket.async_send_to(asio::buffer(buffer, n), from, asio::use_awaitable);
        }
      },
      asio::detached);
  return bench::run_context(context, arguments.workers);
}
