// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/pipes.hpp - pipes and eventfds for tests of a descriptor's readiness.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <weft/this_fiber.hpp>

#include "support/runtimes.hpp"

namespace weft::test {

inline const auto nothing = [] {};

struct descriptor {
  explicit descriptor(int n) : number(n) { REQUIRE(n >= 0); }
  ~descriptor() { close(); }
  descriptor(const descriptor&) = delete;
  void close() {
    if (number >= 0) ::close(std::exchange(number, -1));
  }
  int number;
};
struct pipe_ends {
  pipe_ends() {
    int n[2];
    REQUIRE(::pipe2(n, O_NONBLOCK | O_CLOEXEC) == 0);
    read = std::make_unique<descriptor>(n[0]);
    write = std::make_unique<descriptor>(n[1]);
  }
  std::unique_ptr<descriptor> read, write;
};

inline descriptor new_eventfd() { return descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }
inline void post(int event) {
  const std::uint64_t one = 1;
  CHECK(::write(event, &one, sizeof one) == sizeof one);
}
inline bool take_all(int event) {
  std::uint64_t count = 0;
  return ::read(event, &count, sizeof count) == sizeof count;
}

// What stands for the waiting of the other side: it has parked, or is about to.
template <class Select>
std::size_t while_waiting(Select&& select, const std::function<void()>& act) {
  std::atomic<bool> begun{false};
  auto waiting = weft::spawn([&] {
    begun = true;
    return select();
  });
  until([&] { return begun.load(); });
  for (int i = 0; i < 20; ++i) weft::this_fiber::yield();
  act();
  return waiting.join();
}

}  // namespace weft::test
