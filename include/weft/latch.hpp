// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/latch.hpp - std::latch for fibers and threads.

#include <chrono>
#include <cstddef>
#include <stop_token>

#include <weft/detail/countdown.hpp>
#include <weft/detail/export.hpp>

namespace WEFT_API weft {

/// A count that goes down once, from the number it was made with. At zero it lets all waiters
/// through, and stays open.
///
/// Orders: everything before each `count_down`, before the return of a `wait`, or of a `try_wait`
/// that returns true.
/// Lifetime: a caller that returns from `wait` may destroy it if no one else waits.
/// Example: test/unit/examples_locks_test.cpp [latch]
/// ```
///   weft::latch warm(workers);
///   for (int i = 0; i < workers; ++i) {
///     fibers.push_back(weft::spawn([&] {
///       warm_up();
///       warm.count_down();
///     }));
///   }
///   warm.wait();
/// ```
class latch {
 public:
  /// The largest count.
  [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return detail::countdown::most; }
  /// A latch that opens after `expected` arrivals.
  /// Errors: less than 0 or more than max() ends the process with a report.
  constexpr explicit latch(std::ptrdiff_t expected) noexcept : core_(expected) {}
  latch(const latch&) = delete;
  latch& operator=(const latch&) = delete;

  /// Takes `n` off the count.
  /// Blocks: never.
  /// Errors: a count below zero, or a negative `n`, ends the process with a report.
  void count_down(std::ptrdiff_t n = 1) noexcept {
    detail::countdown_take(core_, n, "a latch was counted down below zero");
  }
  /// True if the count is zero.
  /// Blocks: never.
  [[nodiscard]] bool try_wait() const noexcept {
    detail::check_resched();
    return core_.count() == 0;
  }

  /// Waits until the count is zero.
  /// Blocks: the calling fiber or thread. A stop request does not end the wait; pass a token for
  /// that.
  void wait() const {
    if (!try_wait()) ended({});
  }
  /// Takes `n` off the count, then waits until it is zero.
  void arrive_and_wait(std::ptrdiff_t n = 1) {
    count_down(n);
    wait();
  }
  /// Takes `n` off the count, then waits until it is zero or a stop is requested on `stop`. Returns
  /// true if it is zero; otherwise the arrival still counts.
  [[nodiscard]] bool arrive_and_wait(const std::stop_token& stop, std::ptrdiff_t n = 1) {
    count_down(n);
    return wait(stop);
  }
  /// Waits until the count is zero or a stop is requested on `stop`; true if it is zero.
  [[nodiscard]] bool wait(const std::stop_token& stop) const {
    return try_wait() || ended(detail::wait_limit(stop));
  }
  /// Waits until the count is zero, for at most `timeout`; true if it is zero.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::chrono::duration<Rep, Period>& timeout) const {
    return try_wait() || ended(detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const std::chrono::time_point<Clock, Duration>& deadline) const {
    return try_wait() || ended(detail::wait_limit(detail::to_steady(deadline)));
  }
  /// Waits until the count is zero or a stop is requested, for at most `timeout`; true if it is
  /// zero.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::stop_token& stop,
                              const std::chrono::duration<Rep, Period>& timeout) const {
    return try_wait() || ended(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const std::stop_token& stop,
                                const std::chrono::time_point<Clock, Duration>& deadline) const {
    return try_wait() || ended(detail::wait_limit(stop, detail::to_steady(deadline)));
  }

 private:
  bool ended(const detail::wait_limit& limit) const {
    return detail::countdown_wait(core_, detail::countdown_kind::latch, limit) ==
           detail::wait_end::ready;
  }
  mutable detail::countdown core_;
};

}  // namespace WEFT_API weft
