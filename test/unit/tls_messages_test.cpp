// SPDX-License-Identifier: BSL-1.0
// unit/tls_messages_test.cpp - messages of TLS 1.3 that are no data: new keys, tickets that come in
// part; and calls on streams that wait for each other, are not connected, or were moved away.
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <openssl/ssl.h>

#include "support/descriptors.hpp"
#include "support/runtimes.hpp"
#include "support/tls.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// OpenSSL alone, over memory: a server whose tickets are larger than its records.
class plain_server {
 public:
  explicit plain_server(weft::net::tcp_stream under) : under_(std::move(under)) {
    ctx_.reset(::SSL_CTX_new(::TLS_server_method()));
    const certificate& c = server_certificate();
    ::SSL_CTX_use_certificate(ctx_.get(), c.x509.get());
    ::SSL_CTX_use_PrivateKey(ctx_.get(), c.key.get());
    ::SSL_CTX_set_min_proto_version(ctx_.get(), TLS1_3_VERSION);
    ::SSL_CTX_set_max_send_fragment(ctx_.get(), 512);
    ::SSL_CTX_set_num_tickets(ctx_.get(), 1);
    ::SSL_CTX_set_session_ticket_cb(ctx_.get(), &make_ticket_large, nullptr, nullptr);
    ssl_.reset(::SSL_new(ctx_.get()));
    ::SSL_set_bio(ssl_.get(), in_ = ::BIO_new(::BIO_s_mem()), out_ = ::BIO_new(::BIO_s_mem()));
    ::SSL_set_accept_state(ssl_.get());
  }
  // Returns what it sends last, of which nothing has been sent: the ticket.
  std::string handshake() {
    while (::SSL_do_handshake(ssl_.get()) != 1) {
      send(output());
      receive();
    }
    return output();
  }
  void send(std::string_view text) { under_.write_all(text); }
  std::string read() {
    std::array<char, 64> data;
    int n;
    while ((n = ::SSL_read(ssl_.get(), data.data(), data.size())) <= 0) receive();
    return {data.data(), static_cast<std::size_t>(n)};
  }
  // True if the peer has said that it writes no more.
  bool end() {
    char c;
    while (::SSL_read(ssl_.get(), &c, 1) <= 0) {
      if ((::SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0) return true;
      if (!receive()) return false;
    }
    return false;
  }

 private:
  static int make_ticket_large(::SSL* s, void*) {
    static const std::vector<char> much(2000, 'x');
    return ::SSL_SESSION_set1_ticket_appdata(::SSL_get_session(s), much.data(), much.size());
  }
  std::string output() {
    char* data = nullptr;
    const long n = BIO_get_mem_data(out_, &data);
    std::string text(data, static_cast<std::size_t>(n));
    static_cast<void>(BIO_reset(out_));
    return text;
  }
  bool receive() {
    std::array<std::byte, 4096> data;
    const std::size_t n = under_.read_some(data);
    ::BIO_write(in_, data.data(), static_cast<int>(n));
    return n > 0;
  }

  weft::net::tcp_stream under_;
  std::unique_ptr<::SSL_CTX, decltype(&::SSL_CTX_free)> ctx_{nullptr, &::SSL_CTX_free};
  std::unique_ptr<::SSL, decltype(&::SSL_free)> ssl_{nullptr, &::SSL_free};
  ::BIO *in_ = nullptr, *out_ = nullptr;
};

// A client that has shaken hands and has read the first record of a ticket, but not the others.
struct half_a_ticket {
  half_a_ticket() : half_a_ticket(connected_pair()) {}
  explicit half_a_ticket(std::pair<weft::net::tcp_stream, weft::net::tcp_stream> ends)
      : client(std::move(ends.first), client_context(), "localhost"),
        server(std::move(ends.second)) {
    auto shakes = weft::spawn([&] { rest = server.handshake(); });
    client.handshake();
    shakes.join();
    constexpr std::size_t first = 600;  // a record and a part
    REQUIRE(rest.size() > 2 * first);
    server.send(rest.substr(0, first));
    rest.erase(0, first);
    std::array<std::byte, 1> data;
    std::error_code ec;
    do static_cast<void>(client.read_some_for(data, 20ms, ec));
    while (!::SSL_in_init(client.native_handle()));
    REQUIRE(ec == std::errc::timed_out);
  }
  tcp_tls client;
  plain_server server;
  std::string rest;
};

}  // namespace

TEST_CASE("tls: new keys, and then whatever comes: other keys, the end, data") {
  at_worker_counts([] {
    auto ab = tls_pair();
    tcp_tls &a = ab.first, &b = ab.second;
    a.update_keys();
    a.update_keys();
    a.write_all("x");
    std::array<std::byte, 8> buffer;
    CHECK(b.read_some(buffer) == 1);
    a.update_keys();
    a.shutdown();
    CHECK(b.read_some(buffer) == 0);
    b.write_all("yz");  // the other way is open
    CHECK(a.read_some(buffer) == 2);
  });
}

TEST_CASE("tls: a write while a ticket has come in part waits for the rest of it") {
  at_worker_counts([] {
    half_a_ticket x;
    std::error_code ec;
    CHECK(x.client.write_some_for("a", 1ms, ec) == 0);
    CHECK(ec == std::errc::timed_out);  // and not the end of the connection
    auto writer = weft::spawn([&] { x.client.write_all("b"); });
    x.server.send(x.rest);
    CHECK(x.server.read() == "b");
    writer.join();
  });
}

TEST_CASE("tls: the same beside a reader that waits for data, and for the end") {
  at_worker_counts([] {
    half_a_ticket x;
    auto reader = weft::spawn([&] {
      std::array<std::byte, 1> data;
      std::error_code ec;
      static_cast<void>(x.client.read_some(data, ec));
      return ec;
    });
    yield_until([&] { return is_parked(reader); });
    auto writer = weft::spawn([&] {
      x.client.write_all("b");
      x.client.shutdown();
    });
    x.server.send(x.rest);
    CHECK(x.server.read() == "b");
    CHECK(x.server.end());
    writer.join();
    reader.request_stop();
    CHECK(reader.join() == std::errc::operation_canceled);
  });
}

TEST_CASE("tls: shutdown while a ticket has come in part") {
  at_worker_counts([] {
    half_a_ticket x;
    auto closer = weft::spawn([&] { x.client.shutdown(); });
    x.server.send(x.rest);
    CHECK(x.server.end());
    closer.join();
  });
}

TEST_CASE("tls: a stop request ends the wait for another fiber's read, with a token and without") {
  at_worker_counts([] {
    auto ab = tls_pair();
    tcp_tls& a = ab.first;
    std::array<std::byte, 1> one;
    auto first = weft::spawn([&] {
      std::error_code ec;
      static_cast<void>(a.read_some(one, ec));
    });
    yield_until([&] { return is_parked(first); });
    std::stop_source mine;
    const auto second_read = [&](const auto&... token) {
      return weft::spawn([&a, token...] {
        std::array<std::byte, 1> data;
        std::error_code ec;
        static_cast<void>(a.read_some(token..., data, ec));
        return ec;
      });
    };
    auto by_fiber = second_read(), by_token = second_read(mine.get_token()),
         by_fiber_with_token = second_read(mine.get_token());
    for (auto* f : {&by_fiber, &by_token, &by_fiber_with_token})
      yield_until([&] { return is_parked(*f); });
    by_fiber.request_stop();
    CHECK(by_fiber.join() == std::errc::operation_canceled);
    by_fiber_with_token.request_stop();
    CHECK(by_fiber_with_token.join() == std::errc::operation_canceled);
    mine.request_stop();
    CHECK(by_token.join() == std::errc::operation_canceled);
    first.request_stop();
    first.join();
  });
}

TEST_CASE("tls: shutdown of both sides keeps the error of the first") {
  weft::run([] {
    auto ends = connected_pair();
    tcp_tls s(std::move(ends.first), client_context(), "localhost");
    std::error_code ec;
    s.shutdown(weft::net::shutdown_side::both, ec);
    CHECK(ec == std::errc::not_connected);
  });
}

TEST_CASE("tls: a stream that was moved away has no connection") {
  weft::run([] {
    auto ab = tls_pair();
    tcp_tls s = std::move(ab.first);
    tcp_tls& gone = ab.first;
    CHECK_FALSE(gone.is_open());
    std::array<std::byte, 1> data;
    std::error_code ec;
    CHECK(gone.read_some(data, ec) == 0);
    CHECK(ec == std::errc::bad_file_descriptor);
    CHECK(gone.write_some("x", ec) == 0);
    CHECK(ec == std::errc::bad_file_descriptor);
    gone.shutdown(ec);
    CHECK(ec == std::errc::bad_file_descriptor);
    gone.handshake(ec);
    CHECK(ec == std::errc::bad_file_descriptor);
    CHECK_THROWS_AS(gone.write_all("x"), std::system_error);
    CHECK_THROWS_AS(gone.update_keys(), std::system_error);
    s.write_all("x");
    CHECK(ab.second.read_some(data) == 1);
  });
}

TEST_CASE("tls: an empty text is no certificate, key or authority, and says so") {
  auto c = weft::tls::context::server();
  CHECK_THROWS_AS(c.use_certificate_chain(std::string_view()), std::system_error);
  CHECK_THROWS_AS(c.use_private_key(std::string_view()), std::system_error);
  CHECK_THROWS_AS(c.add_ca(std::string_view()), std::system_error);
}
