// SPDX-License-Identifier: BSL-1.0
// stress/net_stress_test.cpp - random sizes, deadlines, stops and closes; every byte that arrives
// is the right one.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "support/net.hpp"
#include "support/seed.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::tcp_listener;
using weft::net::tcp_stream;

namespace {

using generator = std::mt19937_64;

std::size_t below(generator& r, std::size_t n) { return static_cast<std::size_t>(r() % n); }

// Writes the pattern in random pieces, in front of random deadlines.
void send_pattern(tcp_stream& s, std::size_t total, generator r) {
  std::size_t at = 0;
  while (at < total) {
    const auto piece = pattern(std::min(total - at, 1 + below(r, 60'000)), at);
    if (below(r, 4) == 0)
      s.set_write_deadline(clock::now() + std::chrono::microseconds(below(r, 300)));
    std::error_code ec;
    at += s.write_all(piece, ec);
    if (ec && ec != std::errc::timed_out) throw std::system_error(ec, "send_pattern");
    s.set_write_deadline(tcp_stream::no_deadline);
    if (below(r, 8) == 0) weft::this_fiber::yield();
  }
  s.shutdown(weft::net::shutdown_side::send);
}

// Reads it in random pieces; how much, or the whole size + 1 if a byte was wrong.
std::size_t receive_pattern(tcp_stream& s, std::size_t total, generator r) {
  std::vector<std::byte> buffer(70'000);
  std::size_t at = 0;
  for (;;) {
    if (below(r, 4) == 0)
      s.set_read_deadline(clock::now() + std::chrono::microseconds(below(r, 300)));
    std::error_code ec;
    const std::size_t n = s.read_some(std::span(buffer).first(1 + below(r, buffer.size())), ec);
    if (ec == std::errc::timed_out) {
      s.set_read_deadline(tcp_stream::no_deadline);
      continue;
    }
    if (ec) throw std::system_error(ec, "receive_pattern");
    if (n == 0) return at;
    for (std::size_t i = 0; i < n; ++i)
      if (buffer[i] != static_cast<std::byte>((at + i) % 251)) return total + 1;
    at += n;
  }
}

}  // namespace

TEST_CASE("stress: random pieces and deadlines over many connections") {
  at_worker_counts([] {
    constexpr int connections = 40;
    generator r(seed());
    tcp_listener listener(any_port);
    weft::scope all;
    std::atomic<int> wrong{0};
    for (int i = 0; i < connections; ++i) {
      const std::size_t total = 1 + below(r, 1'000'000);
      const std::uint64_t there = r(), back = r();
      all.spawn([&, total, there] {
        tcp_stream s(listener.local_endpoint());
        weft::scope both;
        both.spawn([&] { send_pattern(s, total, generator(there)); });
        if (receive_pattern(s, total, generator(there + 1)) != total) wrong.fetch_add(1);
        both.join();
      });
      all.spawn([&, back] {
        tcp_stream s = listener.accept();
        // Echo, in random pieces.
        generator mine(back);
        std::vector<std::byte> buffer(50'000);
        while (const std::size_t n =
                   s.read_some(std::span(buffer).first(1 + below(mine, buffer.size()))))
          s.write_all(std::span(buffer).first(n));
        s.shutdown(weft::net::shutdown_side::send);
      });
    }
    all.join();
    CHECK(wrong.load() == 0);
  });
}

TEST_CASE("stress: closes, stops and readiness race, and every wait ends") {
  at_worker_counts([] {
    generator r(seed());
    for (int round = 0; round < 300; ++round) {
      auto ab = connected_pair();
      tcp_stream &a = ab.first, &b = ab.second;
      std::vector<weft::fiber<void>> waits;
      const std::size_t readers = 1 + below(r, 3);
      for (std::size_t i = 0; i < readers; ++i)
        waits.push_back(weft::spawn([&a] {
          std::byte buffer[8];
          std::error_code ec;
          while (a.read_some(buffer, ec) > 0) {
          }
        }));
      auto step = [&, what = below(r, 4), pause = below(r, 200)](int) {
        weft::this_fiber::sleep_for(std::chrono::microseconds(pause));
        std::error_code ec;
        static_cast<void>(b.write_some(bytes("ping"), ec));
        if (what == 0) a.close();
        if (what == 1) b.close();
        if (what == 2) b.shutdown(weft::net::shutdown_side::send, ec);
        if (what == 3)
          for (auto& w : waits) w.request_stop();
      };
      step(0);
      for (auto& w : waits) w.join();  // a lost wake is a hang
    }
  });
}

TEST_CASE("stress: connections are made and dropped as fast as they come") {
  at_worker_counts([] {
    constexpr int clients = 8, each = 200;
    tcp_listener listener(any_port);
    std::atomic<int> served{0};
    weft::scope all;
    auto acceptor = weft::spawn([&] {
      weft::scope streams;
      for (;;) {
        std::error_code ec;
        tcp_stream s = listener.accept(ec);
        if (ec) break;
        streams.spawn([&, s = std::move(s)]() mutable {
          std::byte one;
          std::error_code why;
          if (s.read_some({&one, 1}, why) == 1) served.fetch_add(1);
          static_cast<void>(s.write_some({&one, 1}, why));
        });
      }
      streams.join();
    });
    for (int c = 0; c < clients; ++c)
      all.spawn([&] {
        for (int i = 0; i < each; ++i) {
          tcp_stream s(listener.local_endpoint());
          s.write_all(bytes("x"));
          std::byte one;
          s.read_exactly({&one, 1});
        }
      });
    all.join();
    listener.close();
    acceptor.join();
    CHECK(served.load() == clients * each);
  });
}
