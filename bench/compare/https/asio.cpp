// SPDX-License-Identifier: BSL-1.0
// https: a coroutine per connection, Asio's SSL stream.
#include "common/asio.hpp"

#include <boost/asio/ssl.hpp>

#include "https/https.hpp"

namespace {

namespace asio = bench::asio;

asio::awaitable<void> serve(bench::tcp::socket client, asio::ssl::context& settings,
                            bool once) try {
  asio::ssl::stream<bench::tcp::socket> stream(std::move(client), settings);
  co_await stream.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
  bench::head_scanner scanner;
  char buffer[4096];
  for (bool over = false; !over;) {
    const std::size_t n =
        co_await stream.async_read_some(asio::buffer(buffer), asio::use_awaitable);
    for (auto left = scanner.complete_in({buffer, n}); left > 0 && !over; --left) {
      const auto response = once ? bench::last_http_response : bench::http_response;
      co_await asio::async_write(stream, asio::buffer(response.data(), response.size()),
                                 asio::use_awaitable);
      over = once;
    }
  }
  co_await stream.async_shutdown(asio::use_awaitable);
} catch (const boost::system::system_error&) {  // the client is gone
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = bench::parse(argc, argv, {"ONCE"});
  asio::ssl::context settings(asio::ssl::context::tls_server);
  settings.use_certificate_chain_file(bench::certificate_file());
  settings.use_private_key_file(bench::key_file(), asio::ssl::context::pem);
  return bench::run_asio(arguments.workers, [&](bench::tcp::socket client) {
    return serve(std::move(client), settings, arguments[0] != 0);
  });
}
