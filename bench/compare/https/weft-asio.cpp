// SPDX-License-Identifier: BSL-1.0
// https: a fiber per connection, Asio's blocking SSL stream on weft's stream.
#include <utility>  // Boost 1.74's awaitable.hpp forgets it

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <string_view>

#include <weft/asio/stream.hpp>
#include <weft/net/tcp.hpp>

#include "common/weft.hpp"
#include "https/https.hpp"

namespace asio = boost::asio;

namespace {

void serve(weft::net::tcp_stream below, asio::ssl::context& settings, bool once) {
  using stream_type = asio::ssl::stream<weft::asio::stream<weft::net::tcp_stream>>;
  stream_type stream(weft::asio::stream<weft::net::tcp_stream>(std::move(below)), settings);
  boost::system::error_code ec;
  stream.handshake(asio::ssl::stream_base::server, ec);
  if (ec) return;
  bench::serve_requests(
      once,
      [&](char* to, std::size_t size) { return stream.read_some(asio::buffer(to, size), ec); },
      [&](std::string_view text) {
        asio::write(stream, asio::buffer(text.data(), text.size()), ec);
        return !ec;
      });
  if (!ec || ec == asio::error::eof) stream.shutdown(ec);
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = bench::parse(argc, argv, {"ONCE"});
  const bool once = arguments[0] != 0;
  return bench::run_weft(arguments.workers, [once] {
    asio::ssl::context settings(asio::ssl::context::tls_server);
    settings.use_certificate_chain_file(bench::certificate_file());
    settings.use_private_key_file(bench::key_file(), asio::ssl::context::pem);
    weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));
    bench::print_port(listener.local_endpoint().port());
    for (;;)
      weft::spawn([&settings, once, client = listener.accept()]() mutable {
        serve(std::move(client), settings, once);
      }).detach();
    return 0;
  });
}
