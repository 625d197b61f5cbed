// SPDX-License-Identifier: BSL-1.0
// unit/net_buffer_test.cpp - what converts to a buffer; several buffers in one call; the forms of a
// call that take a time, a moment or a token.
#include <array>
#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <weft/net.hpp>

#include "support/emulator.hpp"
#include "support/net.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::net::const_buffer;
using weft::net::mutable_buffer;
using weft::net::tcp_stream;

static_assert(weft::net::stream<tcp_stream>);
static_assert(!std::is_convertible_v<const std::string&, mutable_buffer>);
static_assert(!std::is_convertible_v<int*, mutable_buffer>);
static_assert(!std::is_convertible_v<const char*, const_buffer>);  // of what size?

namespace {

std::size_t size_of(const const_buffer& b) { return b.size(); }

std::uint32_t data_segments_of(const tcp_stream& s) {
  tcp_info info{};
  socklen_t size = sizeof info;
  REQUIRE(::getsockopt(s.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  return info.tcpi_data_segs_out;
}

// A stream whose writes wait from now on.
void fill_up(tcp_stream& s) {
  const std::vector<std::byte> data(1 << 20);
  std::error_code ec;
  // The kernel carries over what is on its way, and makes the peer's buffer larger, a moment later.
  // It calls a socket writable when a third is free, but takes what there is room for.
  for (int looks_without_room = 0; looks_without_room < 3; ++looks_without_room) {
    while (s.write_some_for(data, 0s, ec) > 0) looks_without_room = 0;
    weft::this_fiber::sleep_for(50ms);
  }
  REQUIRE(ec == std::errc::timed_out);
}

}  // namespace

TEST_CASE("buffer: what converts, and its size") {
  CHECK(size_of("literal") == 7);
  CHECK(size_of(std::string("abc")) == 3);
  CHECK(size_of(std::string_view("ab\0c", 4)) == 4);
  const std::array<char, 5> chars{};
  CHECK(size_of(chars) == 5);
  const char text[] = {'n', 'o', 'n', 'e'};
  CHECK(size_of(text) == 4);
  char room[16] = {};
  CHECK(size_of(room) == 16);
  CHECK(size_of(mutable_buffer(room)) == 16);
  CHECK(size_of(std::span<const char>(chars)) == 5);
  CHECK(size_of(std::vector<unsigned char>(9)) == 9);
  CHECK(size_of(std::span<std::byte>()) == 0);
}

TEST_CASE("tcp: several buffers are written by one call, in one packet") {
  const bool counts = !qemu_lacks("more of TCP_INFO than its first bytes");
  at_worker_counts([&] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    const std::string head = "HTTP/1.1 200 OK\r\n\r\n", body = "hello";
    const std::uint32_t before = data_segments_of(a);
    a.write_all({head, body, "!"});
    if (counts) CHECK(data_segments_of(a) == before + 1);
    std::string got_head(head.size(), ' ');
    std::array<std::byte, 6> got_body;
    b.read_exactly({got_head, got_body});
    CHECK(got_head == head);
    CHECK(text(got_body) == "hello!");
    a.write_all("a string literal");
    char into[16];
    b.read_exactly(into);
    CHECK(std::string_view(into, 16) == "a string literal");
  });
}

TEST_CASE("tcp: many buffers of any size arrive in order, however slow the peer is") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    const auto data = pattern(6 << 20);
    std::vector<const_buffer> pieces;  // 0, 1, 2, ... bytes and some large ones; more than a call's
    std::size_t at = 0;
    for (std::size_t n = 0; at < data.size(); ++n) {
      const std::size_t size = std::min(n % 50 == 49 ? 300'000 : n, data.size() - at);
      pieces.emplace_back(data.data() + at, size);
      at += size;
    }
    auto writer = weft::spawn([&] { a.write_all(pieces); });
    std::vector<std::byte> got(data.size());
    std::vector<mutable_buffer> rooms;
    for (at = 0; at < got.size(); at += 70'001)
      rooms.emplace_back(got.data() + at, std::min<std::size_t>(70'001, got.size() - at));
    b.read_exactly(rooms);
    writer.join();
    CHECK(got == data);
    a.close();
    CHECK(b.read_some({got, got}) == 0);
  });
}

TEST_CASE("tcp: a short read into several buffers, and what follows it is not slept through") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    for (int round = 0; round < 100; ++round) {
      auto reader = weft::spawn([&] {
        std::array<std::byte, 3> first, second;
        std::size_t n = 0;
        while (n < 5) n += b.read_some({first, second});
        return n;
      });
      a.write_all("ab");
      if (round % 2 != 0) weft::this_fiber::yield();
      a.write_all({"c", "de"});
      CHECK(reader.join() == 5);
    }
  });
}

TEST_CASE("tcp: nothing to read into and nothing to write is no wait") {
  at_worker_counts([] {
    auto ab = connected_pair();
    std::error_code ec;
    CHECK(ab.first.read_some({mutable_buffer(), mutable_buffer()}, ec) == 0);
    CHECK_FALSE(ec);
    CHECK(ab.first.write_some({const_buffer(), ""}, ec) == 0);
    CHECK_FALSE(ec);
  });
}

TEST_CASE("tcp: a time, a moment and a token end a wait, on fibers") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    std::array<std::byte, 8> room;
    std::error_code ec;
    CHECK(b.read_some_for(room, 1ms, ec) == 0);
    CHECK(ec == std::errc::timed_out);
    CHECK(b.read_some_until(room, std::chrono::system_clock::now() + 1ms, ec) == 0);
    CHECK(ec == std::errc::timed_out);
    a.write_all("abc");
    CHECK(b.read_exactly_for(room, 5ms, ec) == 3);
    CHECK(ec == std::errc::timed_out);
    CHECK(thrown_by([&] { b.read_exactly_until(room, clock::now()); }) == std::errc::timed_out);
    std::stop_source stop;
    auto reader = weft::spawn([&] {
      std::error_code why;
      CHECK(b.read_some(stop.get_token(), room, why) == 0);
      return why;
    });
    weft::this_fiber::sleep_for(1ms);
    stop.request_stop();
    CHECK(reader.join() == std::errc::operation_canceled);
    CHECK(thrown_by([&] { static_cast<void>(b.read_some(stop.get_token(), room)); }) ==
          std::errc::operation_canceled);
    a.write_all("x");  // what can go on does, stop or not
    weft::test::yield_until([&] { return b.read_some(stop.get_token(), room, ec) == 1; });
    CHECK(b.read_some_for(room, std::chrono::nanoseconds::min(), ec) == 0);
    CHECK(ec == std::errc::timed_out);
  });
}

TEST_CASE("tcp: the same for writing, and the rest arrives afterwards") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    fill_up(a);
    std::error_code ec;
    while (a.write_some_for("x", 1ms, ec) > 0) continue;
    CHECK(ec == std::errc::timed_out);
    CHECK(a.write_all_until({"x", "y"}, clock::now() + 1ms, ec) == 0);
    CHECK(ec == std::errc::timed_out);
    std::stop_source stop;
    auto writer = weft::spawn([&] {
      std::error_code why;
      CHECK(a.write_all(stop.get_token(), "x", why) == 0);
      return why;
    });
    weft::this_fiber::sleep_for(1ms);
    stop.request_stop();
    CHECK(writer.join() == std::errc::operation_canceled);
    a.set_write_deadline(clock::now());  // the earlier of the two
    CHECK(a.write_all_for("x", 1h, ec) == 0);
    CHECK(ec == std::errc::timed_out);
    a.set_write_deadline(tcp_stream::no_deadline);
    auto last = weft::spawn([&] {
      a.write_all_for({"the ", "end"}, 1h);
      a.shutdown_send();
    });
    std::vector<std::byte> room(1 << 20);
    std::string end;
    while (const std::size_t n = b.read_some(room)) {
      end += text(std::span(room).first(n));
      end.erase(0, end.size() - std::min<std::size_t>(end.size(), 7));
    }
    last.join();
    CHECK(end == "the end");
  });
}

TEST_CASE("tcp: the same on plain threads") {
  auto ab = connected_pair();
  tcp_stream &a = ab.first, &b = ab.second;
  std::array<std::byte, 8> room;
  std::error_code ec;
  CHECK(b.read_some_for(room, 1ms, ec) == 0);
  CHECK(ec == std::errc::timed_out);
  for (int round = 0; round < 20; ++round) {
    std::stop_source stop;
    std::thread asks([&] { stop.request_stop(); });
    CHECK(b.read_some(stop.get_token(), room, ec) == 0);
    CHECK(ec == std::errc::operation_canceled);
    asks.join();
  }
  std::stop_source never;
  std::thread sends([&] { a.write_all(never.get_token(), "abc"); });
  b.read_exactly(never.get_token(), std::span(room).first(3));
  sends.join();
  CHECK(text(std::span(room).first(3)) == "abc");
}
