// SPDX-License-Identifier: BSL-1.0
// unit/tls_session_test.cpp - a connection resumes an earlier one, if it may.
#include <cstddef>
#include <string>

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
