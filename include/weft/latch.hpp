// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/latch.hpp - std::latch for fibers and threads.

#include <chrono>
#include <cstddef>
#include <limits>
#include <stop_token>

#include <weft/detail/countdown.hpp>

namespace weft {

/// Counts down once, from the number it was made with; at zero it lets everybody through, for ever.
///
/// Orders: everything before each `count_down`, before the return of a `wait`, or of a `try_wait`
/// that says true.
/// Lifetime: whoever returns from `wait` may destroy it, if nobody else waits.
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
  [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept {
    return std::numeric_limits<std::ptrdiff_t>::max() / 4;
  }
  constexpr explicit latch(std::ptrdiff_t expected) noexcept : core_(expected) {}
  latch(const latch&) = delete;
  latch& operator=(const latch&) = delete;

  /// Blocks: never. Below zero the process ends, with a report.
  void count_down(std::ptrdiff_t n = 1) noexcept {
    detail::countdown_take(core_, n, "a latch was counted down below zero");
  }
  [[nodiscard]] bool try_wait() const noexcept {
    detail::check_resched();
    return core_.count() == 0;
  }

  /// Waits until the count is zero.
  /// Blocks: the calling fiber, or thread. Not ended by a stop request; pass a token for that.
  void wait() const {
    if (!try_wait()) ended({});
  }
  void arrive_and_wait(std::ptrdiff_t n = 1) {
    count_down(n);
    wait();
  }
  /// The arrival is not taken back if `stop` is requested before. Was the count zero?
  [[nodiscard]] bool arrive_and_wait(const std::stop_token& stop, std::ptrdiff_t n = 1) {
    count_down(n);
    return wait(stop);
  }
  /// The same as `wait` until `stop` is requested, for a time, or both. Was the count zero?
  [[nodiscard]] bool wait(const std::stop_token& stop) const {
    return try_wait() || ended(detail::wait_limit(stop));
  }
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::chrono::duration<Rep, Period>& timeout) const {
    return try_wait() || ended(detail::wait_limit(detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const std::chrono::time_point<Clock, Duration>& deadline) const {
    return try_wait() || ended(detail::wait_limit(detail::to_steady(deadline)));
  }
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::stop_token& stop,
                              const std::chrono::duration<Rep, Period>& timeout) const {
    return try_wait() || ended(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
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

}  // namespace weft
