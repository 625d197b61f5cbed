// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/runtimes.hpp - the fixture of tests that run fibers: a body runs at several worker
// counts, and fails if a fiber or a stack is left.
//
//   each_runtime([](weft::runtime& rt) { ... });    on the test's own thread
//   each_fiber([] { ... });                         as a fiber
//   until([&] { return flag.load(); });             waits for an event, from fibers and plain
//   threads; fails after
//                                                   a minute, which only a hang takes

#include <atomic>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <thread>

#include <doctest/doctest.h>

#include <weft/runtime.hpp>
#include <weft/this_fiber.hpp>

#include "base/sanitizers.hpp"
#include "fiber/stack_pool.hpp"
#include "fiber/stack_trim.hpp"

namespace weft::test {

inline constexpr std::size_t worker_counts[] = {1, 2, 8};

/// How much of `n` this build can do in the time: TSan is slow and knows 8000 fibers at most.
[[nodiscard]] constexpr std::size_t scaled(std::size_t n) noexcept {
  return WEFT_TSAN != 0 ? n / 20 + 1 : WEFT_ASAN != 0 ? n / 5 + 1 : n;
}

/// How long memory must have been idle before it goes back to the kernel, within a scope.
struct trim_period {
  explicit trim_period(std::int64_t ns) { detail::trim_period_ns = ns; }
  ~trim_period() { detail::trim_period_ns = usual; }
  trim_period(const trim_period&) = delete;
  trim_period& operator=(const trim_period&) = delete;
  std::int64_t usual = detail::trim_period_ns;
};

inline std::atomic<int> nested_runtimes{0};

/// Everything as usual, but so many workers.
[[nodiscard]] inline options workers(std::size_t n) {
  options o;
  o.workers = n;
  return o;
}

/// Nested ones leave the stacks to the outermost: another runtime's workers keep some in their
/// caches.
template <class Body>
void with_runtime(const options& o, Body&& body) {
  const std::size_t stacks = detail::stack_pool_statistics().out;
  const bool outermost = nested_runtimes++ == 0;
  try {
    runtime rt(o);
    body(rt);
    CHECK(rt.shutdown() == 0);
    CHECK(rt.fibers() == 0);
  } catch (...) {
    --nested_runtimes;
    throw;
  }
  --nested_runtimes;
  // The default runtime's workers may give back what they had cached, meanwhile.
  if (outermost) CHECK(detail::stack_pool_statistics().out <= stacks);
}

template <class Body>
void each_runtime(Body body) {
  for (const std::size_t n : worker_counts) {
    CAPTURE(n);
    with_runtime(workers(n), body);
  }
}

template <class Body>
void each_fiber(Body body) {
  each_runtime([&](runtime& rt) { rt.spawn([&] { body(); }).join(); });
}

template <class Condition>
void until(Condition&& condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  for (int tries = 0; !condition(); ++tries) {
    if (tries < 50)
      this_fiber::yield();
    else
      static_cast<void>(this_fiber::sleep_for(std::chrono::microseconds(100)));
    if (std::chrono::steady_clock::now() > limit)
      throw std::runtime_error("waited a minute for an event that never came");
  }
}

/// Parks until somebody asks the calling fiber to stop.
inline void park_until_stopped() {
  while (this_fiber::sleep_for(std::chrono::hours(1)) != wait_result::stopped) {
  }
}

}  // namespace weft::test
