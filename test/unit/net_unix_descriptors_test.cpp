// SPDX-License-Identifier: BSL-1.0
// unit/net_unix_descriptors_test.cpp - descriptors that travel over Unix streams, among the bytes
// and within limits.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/net/unix.hpp>
#include <weft/net/unix_seqpacket.hpp>

#include "support/net.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::net::unix_listener;
using weft::net::unix_stream;

namespace {

std::string read_text(unix_stream& s) {
  std::array<std::byte, 64> room;
  // only a lost wake-up takes that long
  const std::size_t n = s.read_some_for(room, 20s);
  return std::string(text(std::span(room).first(n)));
}

}  // namespace

TEST_CASE("unix stream: descriptors travel, and what follows their bytes is read") {
  at_worker_counts([] {
    auto [a, b] = unix_stream::pair();
    // The reader has waited before: from here on a short read could be taken for the end.
    auto first = weft::spawn([&b = b] { return read_text(b); });
    weft::this_fiber::sleep_for(1ms);
    a.write_all("x");
    CHECK(first.join() == "x");
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    a.send_descriptors("AA", pipe_ends);
    a.write_all("B");
    std::array<char, 8> room;
    std::array<weft::net::received_descriptor, 2> got;
    const auto with = b.receive_descriptors(room, got);
    CHECK(with.bytes == 2);
    CHECK(with.descriptors == 2);
    CHECK_FALSE(with.descriptors_lost);
    CHECK(read_text(b) == "B");
    REQUIRE(::write(got[1].get(), "p", 1) == 1);
    char byte = 0;
    CHECK(::read(pipe_ends[0], &byte, 1) == 1);
    CHECK(byte == 'p');
    CHECK((::fcntl(got[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
    // Fewer places than descriptors, and a plain read: they are closed, not leaked.
    a.send_descriptors("C", pipe_ends);
    const auto lost = b.receive_descriptors(room, std::span(got).first(1));
    CHECK(lost.descriptors == 1);
    CHECK(lost.descriptors_lost);
    a.send_descriptors("D", pipe_ends);
    a.write_all("E");
    std::string all;
    while (all.size() < 2) all += read_text(b);
    CHECK(all == "DE");
    std::error_code ec;
    CHECK(a.send_descriptors("", pipe_ends, ec) == 0);
    CHECK(ec == std::errc::invalid_argument);
    const int none = -1;
    a.send_descriptors("x", {&none, 1}, ec);
    CHECK(ec == std::errc::bad_file_descriptor);
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
    a.close();
    CHECK(b.receive_descriptors(room, got).bytes == 0);
  });
}

TEST_CASE("unix: descriptors for which the process has no numbers are reported as lost") {
  at_worker_counts([] {
    auto [a, b] = unix_stream::pair();
    auto [c, d] = weft::net::unix_seqpacket::pair();
    const int numbers[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    a.send_descriptors("x", numbers);
    c.send_descriptors("y", numbers);
    std::array<char, 8> room;
    std::array<weft::net::received_descriptor, 4> places;
    weft::net::read_with_descriptors of_stream;
    weft::net::packet_with_descriptors of_packet;
    {
      rlimit before{};
      REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
      const rlimit none{0, before.rlim_max};
      REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
      of_stream = b.receive_descriptors(room, places);
      of_packet = d.receive_descriptors(room, places);
      REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    }
    CHECK(of_stream.bytes == 1);
    CHECK(of_stream.descriptors == 0);
    CHECK(of_stream.descriptors_lost);
    CHECK(of_packet.size == 1);
    CHECK(of_packet.descriptors == 0);
    CHECK(of_packet.descriptors_lost);
  });
}

TEST_CASE("unix stream: much data with descriptors, and a reader that waits for both") {
  at_worker_counts([] {
    auto [a, b] = unix_stream::pair();
    const auto data = pattern(3 << 20);
    auto writer = weft::spawn([&a = a, &data] {
      const int number = STDERR_FILENO;
      a.send_descriptors(data, {&number, 1});
      a.shutdown_send();
    });
    std::vector<std::byte> got(data.size()), more(1);
    std::array<weft::net::received_descriptor, 1> descriptor;
    const auto first = b.receive_descriptors(got, descriptor);
    CHECK(first.descriptors == 1);
    b.read_exactly(std::span(got).subspan(first.bytes));
    CHECK(b.read_some(more) == 0);
    CHECK(got == data);
    writer.join();
  });
}

TEST_CASE("unix stream: sending and receiving descriptors end at every kind of limit") {
  at_worker_counts([] {
    auto both = unix_stream::pair();
    auto &a = both.first, &b = both.second;
    std::stop_source stop;
    stop.request_stop();
    const auto over = [] { return std::chrono::steady_clock::now() - 1ms; };
    std::array<char, 8> room;
    std::array<weft::net::received_descriptor, 1> got;
    std::error_code ec;
    CHECK(b.receive_descriptors_for(room, got, 1ms, ec).bytes == 0);
    CHECK(ec == std::errc::timed_out);
    CHECK(b.receive_descriptors_until(room, got, over(), ec).bytes == 0);
    CHECK(ec == std::errc::timed_out);
    CHECK(b.receive_descriptors(stop.get_token(), room, got, ec).bytes == 0);
    CHECK(ec == std::errc::operation_canceled);
    CHECK(thrown_by([&] { static_cast<void>(b.receive_descriptors_for(room, got, 1ms)); }) ==
          std::errc::timed_out);
    CHECK(thrown_by([&] { static_cast<void>(b.receive_descriptors_until(room, got, over())); }) ==
          std::errc::timed_out);
    CHECK(thrown_by([&] {
            static_cast<void>(b.receive_descriptors(stop.get_token(), room, got));
          }) == std::errc::operation_canceled);
    // A limit ends waits only: what is there is received.
    const int number = STDERR_FILENO;
    a.send_descriptors_for("one", {&number, 1}, 20s);
    CHECK(b.receive_descriptors(stop.get_token(), room, got, ec).descriptors == 1);
    CHECK_FALSE(ec);
    // More than the kernel takes: the first bytes and the descriptors have gone, and are counted.
    const auto much = pattern(3 << 20);
    const std::size_t sent = a.send_descriptors_for(much, {&number, 1}, 1ms, ec);
    CHECK(ec == std::errc::timed_out);
    CHECK(sent > 0);
    CHECK(sent < much.size());
    while (!ec || sent == 0) static_cast<void>(a.write_some_for(much, 1ms, ec));
    CHECK(a.send_descriptors_for(much, {&number, 1}, 1ms, ec) == 0);
    CHECK(ec == std::errc::timed_out);
    CHECK(a.send_descriptors_until(much, {&number, 1}, over(), ec) == 0);
    CHECK(ec == std::errc::timed_out);
    CHECK(a.send_descriptors(stop.get_token(), much, {&number, 1}, ec) == 0);
    CHECK(ec == std::errc::operation_canceled);
    CHECK(thrown_by([&] { a.send_descriptors_for(much, {&number, 1}, 1ms); }) ==
          std::errc::timed_out);
    CHECK(thrown_by([&] { a.send_descriptors_until(much, {&number, 1}, over()); }) ==
          std::errc::timed_out);
    CHECK(thrown_by([&] { a.send_descriptors(stop.get_token(), much, {&number, 1}); }) ==
          std::errc::operation_canceled);
    std::vector<std::byte> all(sent);
    const auto first = b.receive_descriptors(all, got);
    CHECK(first.descriptors == 1);
    b.read_exactly(std::span(all).subspan(first.bytes));
    CHECK(std::equal(all.begin(), all.end(), much.begin()));
    // A stop request that comes while it waits.
    std::stop_source later;
    auto waits = weft::spawn([&] {
      std::error_code why;
      auto token = later.get_token();
      auto pair = unix_stream::pair();
      std::array<weft::net::received_descriptor, 1> places;
      static_cast<void>(pair.first.receive_descriptors(token, room, places, why));
      return why;
    });
    weft::this_fiber::sleep_for(1ms);
    later.request_stop();
    CHECK(waits.join() == std::errc::operation_canceled);
  });
}
