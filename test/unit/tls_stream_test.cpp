// SPDX-License-Identifier: BSL-1.0
// unit/tls_stream_test.cpp - connections that do what they should: echo, names, protocols, both
// ways at once, many parts, streams that are no sockets.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "support/tls.hpp"

using namespace weft::test;
using weft::tls::context;

namespace {

template <class A, class B>
void talk(A& a, B& b) {
  std::array<std::byte, 64> buffer;
  auto echo = weft::spawn([&] {
    std::array<std::byte, 64> there;
    while (const std::size_t n = b.read_some(there)) b.write_all(std::span(there).first(n));
    b.shutdown();
  });
  for (const char* line : {"one", "two", "three"}) {
    a.write_all(bytes(line));
    const auto part = std::span(buffer).first(std::string_view(line).size());
    a.read_exactly(part);
    CHECK(text(part) == line);
  }
  a.shutdown();
  CHECK(a.read_some(buffer) == 0);
  CHECK(a.read_some(buffer) == 0);  // the end stays
  echo.join();
}

// Half a connection in memory: what one end writes, the other reads. Parks.
class pipe_end {
 public:
  explicit pipe_end(weft::channel<std::string>& in, weft::channel<std::string>& out)
      : in_(&in), out_(&out) {}
  std::size_t read_some(std::span<std::byte> to, std::error_code&) {
    if (left_.empty()) {
      auto next = in_->receive();
      if (!next) return 0;
      left_ = std::move(*next);
    }
    const std::size_t n = std::min(to.size(), left_.size());
    std::memcpy(to.data(), left_.data(), n);
    left_.erase(0, n);
    return n;
  }
  std::size_t write_some(std::span<const std::byte> from, std::error_code& ec) {
    const auto some = from.first(std::min<std::size_t>(from.size(), 1000));
    if (!out_->send(std::string(text(some)))) ec = std::make_error_code(std::errc::broken_pipe);
    return some.size();
  }

 private:
  weft::channel<std::string>*in_, *out_;
  std::string left_;
};

}  // namespace

TEST_CASE("tls: smoke - an echo, with TLS 1.2 and 1.3") {
  for (const auto v : {weft::tls::version::tls1_2, weft::tls::version::tls1_3})
    at_worker_counts([v] {
      auto client = client_context();
      client.set_max_version(v);
      auto [a, b] = tls_pair(client);
      CHECK(a.version() == (v == weft::tls::version::tls1_2 ? "TLSv1.2" : "TLSv1.3"));
      CHECK(a.version() == b.version());
      CHECK(!a.cipher().empty());
      CHECK(!a.resumed());
      talk(a, b);
    });
}

TEST_CASE("tls: the handshake comes by itself, also if both directions ask for it at once") {
  at_worker_counts([] {
    // Many: the reader that makes the handshake must not keep the writer out of what follows.
    for (int i = 0; i < 20; ++i) {
      auto [below_a, below_b] = connected_pair();
      tcp_tls a(std::move(below_a), client_context(), "127.0.0.1"),
          b(std::move(below_b), server_context());
      CHECK(!a.is_ready());
      auto reads = weft::spawn([&] {
        std::array<std::byte, 5> word;
        a.read_exactly(word);
        return std::string(text(word));
      });
      auto writes = weft::spawn([&] { a.write_all(bytes("there")); });
      std::array<std::byte, 5> word;
      b.read_exactly(word);
      b.write_all(word);
      CHECK(reads.join() == "there");
      writes.join();
      CHECK(a.is_ready());
      CHECK(a.server_name().empty());  // an address is no name
    }
  });
}

TEST_CASE("tls: names and protocols") {
  weft::run([] {
    const auto other_certificate = make_certificate({"DNS:*.other.example"}, &authority());
    auto other = server_context(other_certificate);
    other.set_alpn({"only-there"});
    auto server = server_context();
    server.set_alpn({"h2", "http/1.1"});
    server.add_server_name("*.other.example", other);
    auto client = client_context();
    client.set_alpn({"http/1.1", "h2"});
    {
      auto [a, b] = tls_pair(client, server, "server.example");
      CHECK(a.alpn() == "h2");  // as the server prefers
      CHECK(b.alpn() == "h2");
      CHECK(b.server_name() == "server.example");
    }
    {
      auto asks = client_context();
      asks.set_alpn({"x", "only-there"});
      auto [a, b] = tls_pair(asks, server, "www.OTHER.example");
      CHECK(a.alpn() == "only-there");
    }
    {
      auto [a, b] = tls_pair(client_context(), server);  // a client without a list
      CHECK(a.alpn().empty());
    }
    {
      auto [x, y] = connected_pair();  // nothing in common
      auto asks = client_context();
      asks.set_alpn({"gopher"});
      tcp_tls a(std::move(x), asks, "localhost"), b(std::move(y), server);
      auto far = weft::spawn([&] {
        std::error_code ec;
        b.handshake(ec);
        return ec;
      });
      std::error_code ec;
      a.handshake(ec);
      CHECK(ec.category() == weft::tls::category());
      CHECK(ec.message().find("no application protocol") != std::string::npos);
      CHECK(far.join().category() == weft::tls::category());
    }
  });
}

TEST_CASE("tls: megabytes both ways at once") {
  at_worker_counts([] {
    auto ab = tls_pair();
    tcp_tls &a = ab.first, &b = ab.second;
    const auto data = pattern(3 << 20);
    weft::scope both;
    for (tcp_tls* s : {&a, &b}) {
      both.spawn([s, &data] {
        std::size_t at = 0;
        for (const std::size_t step : {1u, 100u, 16384u, 16385u, 1u << 20})
          s->write_all(std::span(data).subspan(at, step)), at += step;
        s->write_all(std::span(data).subspan(at));
        s->shutdown();
      });
      both.spawn([s, &data] {
        std::vector<std::byte> got(data.size());
        s->read_exactly(got);
        CHECK(got == data);
        std::byte more;
        CHECK(s->read_some({&more, 1}) == 0);
      });
    }
    both.join();
  });
}

TEST_CASE("tls: many parts are one record") {
  weft::run([] {
    auto ab = tls_pair();
    tcp_tls &a = ab.first, &b = ab.second;
    const std::string head = "head ", body = "body", long_one(40000, 'x');
    a.write_all({head, "", body, ""});
    std::vector<std::byte> buffer(50000);
    CHECK(text(std::span(buffer).first(b.read_some(buffer))) == "head body");
    auto reader = weft::spawn([&] {
      const auto all = std::span(buffer).first(40009);
      b.read_exactly(all);
      return std::string(text(all));
    });
    a.write_all({head, long_one, body});
    CHECK(reader.join() == head + long_one + body);
    a.write_all("");
    CHECK(a.write_some({head, body}) == 9);
    std::array<char, 5> one;
    std::array<char, 4> other;
    b.read_exactly({one, other});  // several buffers, too
    CHECK(std::string(one.data(), 5) + std::string(other.data(), 4) == "head body");
  });
}

static_assert(weft::net::stream<tcp_tls>);

TEST_CASE("tls: over any stream, and over itself") {
  weft::run([] {
    weft::channel<std::string> there(4), back(4);
    pipe_end a_end(back, there), b_end(there, back);
    {
      weft::tls::stream<pipe_end&> a(a_end, client_context(), "localhost");
      weft::tls::stream<pipe_end&> b(b_end, server_context());
      talk(a, b);
    }
    auto ab = tls_pair();
    weft::tls::stream<tcp_tls> a(std::move(ab.first), client_context(), "localhost");
    weft::tls::stream<tcp_tls> b(std::move(ab.second), server_context());
    a.set_deadline(clock::now() + std::chrono::minutes(10));
    talk(a, b);
  });
}

TEST_CASE("tls: key update while both directions are in use") {
  at_worker_counts([] {
    auto ab = tls_pair();
    tcp_tls &a = ab.first, &b = ab.second;
    const auto data = pattern(1 << 20);
    weft::scope both;
    both.spawn([&] {
      for (std::size_t at = 0; at < data.size(); at += 1 << 16) {
        // between two writes of the only writer, and no reader of `a`
        a.update_keys();
        a.write_all(std::span(data).subspan(at, 1 << 16));
      }
      a.shutdown();
    });
    both.spawn([&] {
      std::vector<std::byte> got(data.size());
      b.read_exactly(got);
      CHECK(got == data);
    });
    both.spawn([&] {
      for (std::size_t at = 0; at < data.size(); at += 1 << 15)
        b.write_all(std::span(data).subspan(at, 1 << 15));
    });
    both.spawn([&] {
      std::vector<std::byte> got(data.size());
      std::error_code ec;
      std::size_t all = 0;
      while (all < got.size() && !ec) all += a.read_some(std::span(got).subspan(all), ec);
      CHECK(!ec);
      CHECK(got == data);
    });
    both.join();
  });
}

TEST_CASE("example: tls") {
  weft::run([] {
    const auto chain = server_certificate().pem, key = server_certificate().key_pem;
    const auto authority_pem = authority().pem;
    weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));
    const auto address = listener.local_endpoint();
    std::string answer(5, ' ');

    auto server = weft::tls::context::server();
    server.use_certificate_chain(chain);
    server.use_private_key(key);
    auto client = weft::tls::context::client();
    client.add_ca(authority_pem);

    auto serving = weft::spawn([&] {
      weft::tls::stream s(listener.accept(), server);
      s.write_all("hello");
      s.shutdown();
    });
    weft::tls::stream s(weft::net::tcp_stream(address), client, "localhost");
    s.read_exactly(answer);  // makes the handshake first
    serving.join();

    CHECK(answer == "hello");
  });
}
