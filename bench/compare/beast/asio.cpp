// SPDX-License-Identifier: BSL-1.0
// beast: a coroutine per connection, Beast's asynchronous functions.
#include "common/asio.hpp"

#include "beast/beast.hpp"

namespace {

bench::asio::awaitable<void> serve(bench::tcp::socket client) try {
  bench::beast::flat_buffer buffer;
  for (bool more = true; more;) {
    bench::beast_request request;
    co_await bench::beast::http::async_read(client, buffer, request, bench::asio::use_awaitable);
    const auto response = bench::beast_answer(request);
    co_await bench::beast::http::async_write(client, response, bench::asio::use_awaitable);
    more = request.keep_alive();
  }
} catch (const boost::system::system_error&) {  // the client is gone
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_asio(bench::parse(argc, argv, {}).workers, serve);
}
