// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/descriptors.hpp - what the tests of descriptors share: numbers, pairs, fibers that wait.

#include <array>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/io/descriptor.hpp>
#include <weft/io/pipe.hpp>

#include "fiber/record.hpp"
#include "support/runtimes.hpp"

namespace weft::test {

using io::descriptor;
using io::readiness;

struct number {
  explicit number(int n) : n(n) { REQUIRE(n >= 0); }
  ~number() { close(); }
  number(const number&) = delete;
  void close() {
    if (n >= 0) ::close(std::exchange(n, -1));
  }
  int n;
};

struct pair {
  explicit pair(int type = SOCK_STREAM) {
    REQUIRE(::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  }
  ~pair() {
    close(0);
    close(1);
  }
  pair(const pair&) = delete;
  void close(int i) {
    if (ends[i] >= 0) ::close(std::exchange(ends[i], -1));
  }
  void send(const char* what) {
    const auto size = static_cast<ssize_t>(std::string(what).size());
    CHECK(::write(ends[1], what, static_cast<std::size_t>(size)) == size);
  }
  std::string take(std::size_t most = 100) {
    std::string s(most, 0);
    const ssize_t n = ::read(ends[0], s.data(), most);
    s.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return s;
  }
  void fill() {
    std::array<char, 4096> some{};
    while (::write(ends[0], some.data(), some.size()) > 0) {
    }
  }
  void drain() {
    std::array<char, 65536> some{};
    while (::read(ends[1], some.data(), some.size()) > 0) {
    }
  }
  int ends[2];
};

inline number new_eventfd() { return number(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }
inline void post(int event) {
  const std::uint64_t one = 1;
  CHECK(::write(event, &one, sizeof one) == sizeof one);
}

template <class T>
bool is_parked(const weft::fiber<T>& f) {
  using word = weft::detail::fiber_word;
  const auto& record = weft::detail::record_of(*f.native_task());
  return word::state_of(record.word.snapshot()) == weft::detail::fiber_state::parked;
}

// What a fiber makes of it: "ready", or the error.
inline std::string waits(const descriptor& d, readiness what = readiness::readable) {
  const std::error_code why = d.wait(what);
  return why ? why.message() : "ready";
}
inline const std::string canceled = std::make_error_code(std::errc::operation_canceled).message();

inline auto wait_in_fiber(const descriptor& d, readiness what = readiness::readable) {
  auto f = weft::spawn([&d, what] { return waits(d, what); });
  until([&] { return is_parked(f); });
  return f;
}

inline std::string read_all(io::pipe_end& from) {
  std::string all, part(4096, 0);
  while (const std::size_t n = from.read_some(part)) all.append(part, 0, n);
  return all;
}

}  // namespace weft::test
