// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/net.hpp - what the network's tests share: runtimes of several sizes, loopback pairs,
// patterns.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

namespace weft::test {

using clock = std::chrono::steady_clock;

/// Runs body() as a fiber of a runtime with 1, 2 and 8 workers; `body` may throw.
template <class F>
void at_worker_counts(F&& body) {
  for (const std::size_t workers : {1, 2, 8}) {
    CAPTURE(workers);
    weft::options o;
    o.workers = workers;
    weft::runtime r(o);
    r.spawn([&] { body(); }).join();
    CHECK(r.shutdown() == 0);
  }
}

inline const net::endpoint any_port{"127.0.0.1", 0};

/// Both ends of a connection over loopback.
inline std::pair<net::tcp_stream, net::tcp_stream> connected_pair() {
  net::tcp_listener listener(any_port);
  auto accepted = weft::spawn([&] { return listener.accept(); });
  auto mine = net::tcp_stream::connect(listener.local_endpoint());
  return {std::move(mine), accepted.join()};
}

/// Connects to a listener that nobody accepts at until its backlog is full: from then on the kernel
/// does not answer. Keep what it returns.
inline std::vector<net::tcp_stream> fill_backlog(const net::tcp_listener& listener) {
  std::vector<net::tcp_stream> waiting;
  while (waiting.size() < 16) {
    std::error_code ec;
    // On a busy machine the answer may be there and not be seen in time: the second wait is long.
    for (const auto patience : {std::chrono::milliseconds(20), std::chrono::milliseconds(250)}) {
      auto s = net::tcp_stream::connect_for(listener.local_endpoint(), patience, ec);
      if (ec) continue;
      waiting.push_back(std::move(s));
      break;
    }
    if (ec == std::errc::timed_out) return waiting;
  }
  FAIL("the backlog is never full");
  return waiting;
}

/// A directory of its own for sockets' files, removed with what is in it.
struct folder {
  folder() {
    char name[] = "/tmp/weft_unix_XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~folder() { std::filesystem::remove_all(path); }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  [[nodiscard]] net::unix_endpoint operator/(const char* name) const {
    return net::unix_endpoint((path / name).string());
  }
  std::filesystem::path path;
};

inline std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline std::string_view text(std::span<const std::byte> data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

/// Bytes that betray where they belong: equal position, equal byte; period 251.
inline std::vector<std::byte> pattern(std::size_t size, std::size_t from = 0) {
  std::vector<std::byte> all(size);
  for (std::size_t i = 0; i < size; ++i) all[i] = static_cast<std::byte>((from + i) % 251);
  return all;
}

/// Sends back what comes, until the end.
inline void echo(net::tcp_stream& stream) {
  std::byte buffer[4096];
  while (const std::size_t n = stream.read_some(buffer))
    stream.write_all(std::span(buffer).first(n));
}

/// Lets others run until condition(): events, not clocks.
template <class Condition>
void yield_until(Condition&& condition) {
  while (!condition()) this_fiber::sleep_for(std::chrono::microseconds(200));
}

/// The std::error_code a call throws as std::system_error; none if it returns.
template <class F>
std::error_code thrown_by(F&& call, std::string* what = nullptr) {
  try {
    call();
  } catch (const std::system_error& e) {
    if (what != nullptr) *what = e.what();
    return e.code();
  }
  return {};
}

}  // namespace weft::test
