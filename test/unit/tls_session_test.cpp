// SPDX-License-Identifier: BSL-1.0
// unit/tls_session_test.cpp - a connection resumes an earlier one, if it may.
#include <cstddef>
#include <string>
#include <system_error>

#include <openssl/ssl.h>

#include "support/tls.hpp"

using namespace weft::test;
using weft::tls::session;
using weft::tls::version;

namespace {

// One connection that says a word each way. What can be resumed of it.
session visit(const weft::tls::context& client, const weft::tls::context& server,
              const session& before, bool& resumed) {
  auto both = connected_pair();
  auto &x = both.first, &y = both.second;
  tcp_tls a(std::move(x), client, "localhost"), b(std::move(y), server);
  if (before) a.set_session(before);
  auto far = weft::spawn([&] {
    std::byte word[4];
    b.read_exactly(word);
    b.write_all(word);
    CHECK(b.read_some(word) == 0);
    return b.resumed();
  });
  std::byte word[4];
  a.write_all(bytes("word"));
  a.read_exactly(word);
  a.shutdown();
  resumed = a.resumed();
  CHECK(far.join() == resumed);
  return a.session();
}

}  // namespace

TEST_CASE("tls session: the second connection resumes the first") {
  for (const version v : {version::tls1_2, version::tls1_3})
    weft::run([v] {
      auto client = client_context();
      client.set_max_version(v);
      const auto server = server_context();
      bool resumed = true;
      const session first = visit(client, server, {}, resumed);
      CHECK(!resumed);
      REQUIRE(first);
      CHECK(first.peer() == "localhost");
      session next = visit(client, server, first, resumed);
      CHECK(resumed);
      if (v == version::tls1_3) {
        REQUIRE(next);  // a ticket of its own
        static_cast<void>(visit(client, server, next, resumed));
        CHECK(resumed);
      }
      // A server that was started anew does not know its key: a full handshake.
      static_cast<void>(visit(client, server_context(), first, resumed));
      CHECK(!resumed);
    });
}

TEST_CASE("tls session: none of another name, none too late, none of a server") {
  weft::run([] {
    const auto client = client_context();
    const auto server = server_context();
    bool resumed = false;
    const session s = visit(client, server, {}, resumed);
    tcp_tls other(weft::net::tcp_stream(), client, "server.example");
    CHECK(thrown_by([&] { other.set_session(s); }) == std::errc::invalid_argument);
    auto both = tls_pair();
    auto &a = both.first, &b = both.second;
    CHECK(thrown_by([&] { a.set_session(s); }) == std::errc::invalid_argument);
    CHECK(thrown_by([&] { a.set_session({}); }) == std::errc::invalid_argument);
    CHECK(!b.session());
    CHECK(s.native_handle() != nullptr);
  });
}

TEST_CASE("tls session: one whose peer was not verified is nothing for a client that verifies") {
  for (const version v : {version::tls1_2, version::tls1_3})
    weft::run([v] {
      auto careless = weft::tls::context::client();
      careless.set_verify(weft::tls::verify::none);
      careless.set_max_version(v);
      const auto client = client_context(), server = server_context();
      bool resumed = true;
      const session s = visit(careless, server, {}, resumed);
      REQUIRE(s);
      static_cast<void>(visit(careless, server, s, resumed));
      CHECK(resumed);
      auto both = connected_pair();
      auto &x = both.first, &y = both.second;
      tcp_tls a(std::move(x), client, "localhost"), b(std::move(y), server);
      CHECK(thrown_by([&] { a.set_session(s); }) == std::errc::invalid_argument);
      auto far = weft::spawn([&] { b.handshake(); });  // as if nothing had happened
      a.handshake();
      far.join();
      CHECK_FALSE(a.resumed());
    });
}

namespace {

// What the server says to a client that offers a session to `name`, wherever it is from.
std::error_code offer(const weft::tls::context& client, const weft::tls::context& server,
                      const char* name, const session& s, bool& resumed) {
  auto both = connected_pair();
  auto &x = both.first, &y = both.second;
  tcp_tls a(std::move(x), client, name), b(std::move(y), server);
  REQUIRE(::SSL_set_session(a.native_handle(), s.native_handle()) == 1);
  std::error_code at_server;
  auto far = weft::spawn([&] {
    b.handshake(at_server);
    resumed = !at_server && b.resumed();
    b.close();
  });
  std::error_code ec;
  std::byte word[4];
  static_cast<void>(a.read_some(word, ec));
  far.join();
  return at_server;
}

}  // namespace

// TLS 1.3 lets a client offer a session to any name; the server looks at the name afterwards.
TEST_CASE("tls session: one of a name that verifies nobody is nothing for a name that does") {
  weft::run([] {
    auto known = client_context();
    known.use_certificate_chain(server_certificate().pem);
    known.use_private_key(server_certificate().key_pem);
    const auto unknown = client_context();
    const auto verifying = [] {
      auto c = server_context();
      c.add_ca(authority().pem);
      c.set_verify(weft::tls::verify::required);
      return c;
    };
    bool resumed = false;
    // A session of localhost; each is offered once.
    const auto fresh = [&](const auto& client, const auto& server) {
      const session s = visit(client, server, {}, resumed);
      REQUIRE(s);
      return s;
    };
    {
      auto server = server_context();
      server.add_server_name("Server.Example", verifying());
      CHECK(offer(unknown, server, "server.example", fresh(unknown, server), resumed));
      CHECK_FALSE(offer(unknown, server, "localhost", fresh(unknown, server), resumed));
      CHECK(resumed);
    }
    {
      auto server = verifying();
      server.add_server_name("localhost", server_context());
      CHECK(offer(unknown, server, "server.example", fresh(unknown, server), resumed));
      CHECK_FALSE(offer(unknown, server, "localhost", fresh(unknown, server), resumed));
      CHECK(resumed);
    }
    // Its own sessions do, of each of its names.
    auto server = server_context();
    const auto both = verifying();
    server.add_server_name("localhost", both);
    server.add_server_name("*.example", both);
    for (const char* name : {"localhost", "server.example"}) {
      CHECK_FALSE(offer(known, server, name, fresh(known, server), resumed));
      CHECK(resumed);
    }
  });
}
