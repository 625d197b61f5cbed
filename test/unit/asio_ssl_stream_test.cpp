// SPDX-License-Identifier: BSL-1.0
// unit/asio_ssl_stream_test.cpp - Asio's own TLS over weft's streams, and weft's TLS below Beast.
#include <string>

#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <weft/asio/stream.hpp>

#include "support/tls.hpp"

using namespace weft::test;
namespace beast = boost::beast;
namespace http = beast::http;
namespace net = boost::asio;

namespace {

template <class Stream>
void answer_one(Stream& s) {
  beast::flat_buffer buffer;
  http::request<http::string_body> request;
  http::read(s, buffer, request);
  http::response<http::string_body> response{http::status::ok, 11};
  response.body() = std::string(request.target());
  response.prepare_payload();
  http::write(s, response);
}
template <class Stream>
std::string ask_one(Stream& s, const std::string& target) {
  const http::request<http::empty_body> request{http::verb::get, target, 11};
  http::write(s, request);
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  http::read(s, buffer, response);
  return response.body();
}

}  // namespace

TEST_CASE("asio ssl: asio::ssl::stream on fibers, fifty at once") {
  at_worker_counts([] {
    net::ssl::context server(net::ssl::context::tls_server), client(net::ssl::context::tls_client);
    server.use_certificate_chain(net::buffer(server_certificate().pem));
    server.use_private_key(net::buffer(server_certificate().key_pem), net::ssl::context::pem);
    client.add_certificate_authority(net::buffer(authority().pem));
    client.set_verify_mode(net::ssl::verify_peer);
    weft::scope all;
    for (int i = 0; i < 50; ++i)
      all.spawn([&, i] {
        auto [x, y] = connected_pair();
        auto far = weft::spawn([&server, y = std::move(y)]() mutable {
          net::ssl::stream<weft::asio::stream<weft::net::tcp_stream>> s(std::move(y), server);
          s.handshake(net::ssl::stream_base::server);
          answer_one(s);
          beast::error_code ec;
          s.shutdown(ec);
          return ec;
        });
        net::ssl::stream<weft::asio::stream<weft::net::tcp_stream>> s(std::move(x), client);
        s.handshake(net::ssl::stream_base::client);
        CHECK(ask_one(s, "/" + std::to_string(i)) == "/" + std::to_string(i));
        s.shutdown();
        CHECK(!far.join());
      });
    all.join();
  });
}

TEST_CASE("asio ssl: Beast over weft::tls, WebSocket too") {
  at_worker_counts([] {
    auto ab = tls_pair();
    weft::asio::stream<tcp_tls> a(std::move(ab.first)), b(std::move(ab.second));
    auto far = weft::spawn([&] {
      answer_one(b);
      beast::websocket::stream<weft::asio::stream<tcp_tls>&> ws(b);
      ws.accept();
      beast::flat_buffer buffer;
      ws.read(buffer);
      ws.write(buffer.data());
      beast::error_code ec;
      ws.read(buffer, ec);
      return ec;
    });
    CHECK(ask_one(a, "/over/tls") == "/over/tls");
    beast::websocket::stream<weft::asio::stream<tcp_tls>&> ws(a);
    ws.handshake("localhost", "/");
    ws.write(net::buffer(std::string("message")));
    beast::flat_buffer buffer;
    ws.read(buffer);
    CHECK(beast::buffers_to_string(buffer.data()) == "message");
    ws.close(beast::websocket::close_code::normal);
    CHECK(far.join() == beast::websocket::error::closed);
  });
}
