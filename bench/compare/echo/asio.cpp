// SPDX-License-Identifier: BSL-1.0
// echo: a coroutine per connection that writes back what it reads.
#include "common/asio.hpp"

namespace {

bench::asio::awaitable<void> serve(bench::tcp::socket client) try {
  char buffer[512];
  for (;;) {
    const std::size_t n =
        co_await client.async_read_some(bench::asio::buffer(buffer), bench::asio::use_awaitable);
    co_await bench::asio::async_write(client, bench::asio::buffer(buffer, n),
                                      bench::asio::use_awaitable);
  }
} catch (const boost::system::system_error&) {  // the client is gone
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_asio(bench::parse(argc, argv, {}).workers, serve);
}
