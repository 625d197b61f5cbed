// SPDX-License-Identifier: BSL-1.0
// unit/asio_ssl_teardown_test.cpp - Beast ends a connection by TLS whose peer reads nothing.
#include <chrono>
#include <optional>
#include <span>
#include <system_error>

#include <boost/beast/core/role.hpp>
#include <weft/asio/stream.hpp>

#include "support/tls.hpp"

using namespace std::chrono_literals;
using namespace weft::test;

TEST_CASE("asio stream: the teardown of TLS does not wait for a peer that does not read") {
  weft::run([] {
    auto ab = tls_pair();
    std::optional peer(std::move(ab.second));
    weft::asio::stream<weft::tls::stream<weft::net::tcp_stream>> s(std::move(ab.first));
    const std::vector<std::byte> data(8 << 20);
    std::error_code why;
    std::size_t taken = 0;
    while (!why) taken += s.next_layer().write_all_for(std::span(data).subspan(taken), 5ms, why);
    REQUIRE(why == std::errc::timed_out);
    auto ends = weft::spawn([&] {
      boost::system::error_code ec;
      teardown(boost::beast::role_type::server, s, ec);
      CHECK(!ec);
    });
    CHECK(ends.join_for(20s));
    peer.reset();
    ends.join();
  });
}
