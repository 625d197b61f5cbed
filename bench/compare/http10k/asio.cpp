// SPDX-License-Identifier: BSL-1.0
// http10k: http/asio.cpp, and each request waits 10 ms: a timer of its coroutine.
#include <chrono>

#include "common/asio.hpp"

namespace {

bench::asio::awaitable<void> serve(bench::tcp::socket client) try {
  bench::head_scanner scanner;
  char buffer[4096];
  bench::asio::steady_timer timer(client.get_executor());
  for (;;) {
    const std::size_t n =
        co_await client.async_read_some(bench::asio::buffer(buffer), bench::asio::use_awaitable);
    for (auto left = scanner.complete_in({buffer, n}); left > 0; --left) {
      timer.expires_after(std::chrono::milliseconds(10));
      co_await timer.async_wait(bench::asio::use_awaitable);
      co_await bench::asio::async_write(
          client, bench::asio::buffer(bench::http_response.data(), bench::http_response.size()),
          bench::asio::use_awaitable);
    }
  }
} catch (const boost::system::system_error&) {  // the client is gone
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_asio(bench::parse(argc, argv, {}).workers, serve);
}
