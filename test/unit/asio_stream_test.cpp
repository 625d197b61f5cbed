// SPDX-License-Identifier: BSL-1.0
// unit/asio_stream_test.cpp - Asio's and Beast's blocking functions over weft's streams.
#include <array>
#include <string>

#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <weft/asio/stream.hpp>

#include "support/net.hpp"

using namespace weft::test;
namespace beast = boost::beast;
namespace http = beast::http;
namespace net = boost::asio;
using tcp_asio = weft::asio::stream<weft::net::tcp_stream>;

static_assert(beast::is_sync_stream<tcp_asio>::value);

namespace {

// Counts what goes down, and has no call for several buffers.
class counted {
 public:
  explicit counted(weft::net::tcp_stream& s) : below_(&s) {}
  std::size_t read_some(std::span<std::byte> to, std::error_code& ec) {
    return below_->read_some(to, ec);
  }
  std::size_t write_some(std::span<const std::byte> from, std::error_code& ec) {
    ++writes;
    return below_->write_some(from, ec);
  }
  int writes = 0;

 private:
  weft::net::tcp_stream* below_;
};

void serve_http(weft::net::tcp_stream stream) {
  tcp_asio s(std::move(stream));
  beast::flat_buffer buffer;
  for (;;) {
    http::request<http::string_body> request;
    beast::error_code ec;
    http::read(s, buffer, request, ec);
    if (ec == http::error::end_of_stream) break;
    REQUIRE(!ec);
    http::response<http::string_body> response{http::status::ok, request.version()};
    response.body() = std::string(request.target()) + " " + request.body();
    response.keep_alive(request.keep_alive());
    response.prepare_payload();
    http::write(s, response);
  }
}

}  // namespace

TEST_CASE("asio stream: Beast's HTTP, both sides") {
  at_worker_counts([] {
    weft::net::tcp_listener listener(any_port);
    auto server = weft::spawn([&] {
      weft::scope connections;
      for (int i = 0; i < 20; ++i) connections.spawn(serve_http, listener.accept());
      connections.join();
    });
    weft::scope clients;
    for (int i = 0; i < 20; ++i)
      clients.spawn([&, i] {
        tcp_asio s(weft::net::tcp_stream::connect(listener.local_endpoint()));
        beast::flat_buffer buffer;
        for (int k = 0; k < 5; ++k) {
          http::request<http::string_body> request{http::verb::post, "/" + std::to_string(i), 11};
          request.body() = std::string(static_cast<std::size_t>(k) * 3000, 'b');
          request.prepare_payload();
          http::write(s, request);
          http::response<http::string_body> response;
          http::read(s, buffer, response);
          CHECK(response.body() == "/" + std::to_string(i) + " " + request.body());
        }
        s.next_layer().shutdown(weft::net::shutdown_side::send);
      });
    clients.join();
    server.join();
  });
}

TEST_CASE("asio stream: Beast's WebSocket, an echo") {
  at_worker_counts([] {
    auto [x, y] = connected_pair();
    auto server = weft::spawn([y = std::move(y)]() mutable {
      beast::websocket::stream<tcp_asio> ws(std::move(y));
      ws.accept();
      beast::flat_buffer buffer;
      beast::error_code ec;
      for (;;) {
        ws.read(buffer, ec);
        if (ec) break;
        ws.text(ws.got_text());
        ws.write(buffer.data());
        buffer.consume(buffer.size());
      }
      return ec;
    });
    beast::websocket::stream<tcp_asio> ws(std::move(x));
    ws.handshake("localhost", "/");
    beast::flat_buffer buffer;
    for (const std::size_t size : {0u, 5u, 70000u}) {
      const std::string message(size, 'm');
      ws.write(net::buffer(message));
      ws.read(buffer);
      CHECK(beast::buffers_to_string(buffer.data()) == message);
      buffer.consume(buffer.size());
    }
    ws.close(beast::websocket::close_code::normal);
    CHECK(server.join() == beast::websocket::error::closed);
  });
}

TEST_CASE("asio stream: Asio's reads and writes, ends and errors") {
  weft::run([] {
    auto ab = connected_pair();
    auto& a = ab.first;
    tcp_asio b(std::move(ab.second));
    std::array<char, 3> one;
    std::array<char, 5> other;
    a.write_all("onetwo..");
    CHECK(net::read(b, std::array{net::buffer(one), net::buffer(other)}) == 8);
    CHECK(std::string(other.data(), 5) == "two..");
    CHECK(b.read_some(net::mutable_buffer()) == 0);
    CHECK(b.write_some(net::const_buffer()) == 0);
    CHECK(net::write(b, std::array{net::buffer(one), net::buffer(other)}) == 8);
    a.write_all("line\nrest");
    std::string line;
    CHECK(net::read_until(b, net::dynamic_buffer(line), '\n') == 5);

    boost::system::error_code ec;
    b.next_layer().set_read_deadline(clock::now());
    CHECK(b.read_some(net::buffer(one), ec) == 0);
    CHECK(ec == net::error::timed_out);
    b.next_layer().set_read_deadline(weft::net::tcp_stream::no_deadline);
    auto stopped = weft::spawn([&] {
      boost::system::error_code why;
      CHECK(b.read_some(net::buffer(one), why) == 0);
      return why;
    });
    stopped.request_stop();
    CHECK(stopped.join() == net::error::operation_aborted);
    a.shutdown(weft::net::shutdown_side::send);
    CHECK(b.read_some(net::buffer(one), ec) == 0);
    CHECK(ec == net::error::eof);
    CHECK_THROWS_AS(static_cast<void>(b.read_some(net::buffer(one))), boost::system::system_error);
    b.next_layer().close();
    b.write_some(net::buffer(one), ec);
    CHECK(ec == net::error::bad_descriptor);

    // Codes of other categories keep number, name and text.
    const std::error_code end = weft::net::net_errc::end_of_stream;
    const auto wrapped = weft::asio::to_boost(end);
    CHECK(wrapped == weft::asio::to_boost(end));
    CHECK(wrapped.message() == end.message());
    CHECK(std::string(wrapped.category().name()) == end.category().name());
    CHECK(!weft::asio::to_boost({}));
  });
}

TEST_CASE("asio stream: a head and a body are one write") {
  weft::run([] {
    auto [x, y] = connected_pair();
    counted below(x);
    weft::asio::stream<counted&> s(below);
    http::response<http::string_body> response{http::status::ok, 11};
    response.body() = "body";
    response.prepare_payload();
    http::write(s, response);
    CHECK(below.writes == 1);
    x.close();
    beast::flat_buffer buffer;
    tcp_asio far(std::move(y));
    http::response<http::string_body> got;
    http::read(far, buffer, got);
    CHECK(got.body() == "body");
  });
}
