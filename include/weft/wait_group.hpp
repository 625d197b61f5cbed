// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/wait_group.hpp - waits until a number of things, not known in advance, are done. Go's
// sync.WaitGroup.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>

#include <weft/detail/countdown.hpp>
#include <weft/detail/export.hpp>

namespace WEFT_API weft {

/// A count that goes up with `add` and down with `done`, and releases its waiters when it is zero.
///
/// If fibers are what you wait for, prefer weft::scope: it cannot forget one, and it passes their
/// failures on.
/// Orders: everything before each `done`, before the return of the `wait` that they satisfy.
/// Lifetime: a caller that returns from `wait` may destroy it if no one else waits. It can be used
/// again and again, but an `add` that lifts the count from zero must not run at the same time as a
/// `wait`.
/// Example: test/unit/examples_locks_test.cpp [wait_group]
/// ```
///   weft::wait_group pending;
///   for (auto& job : jobs) {
///     pending.add();
///     weft::spawn([&] {
///       job.run();
///       pending.done();
///     }).detach();
///   }
///   pending.wait();
/// ```
class wait_group {
 public:
  /// A count of zero.
  constexpr wait_group() noexcept : core_(0) {}
  /// The largest count.
  [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return detail::countdown::most; }
  /// A count of `n`.
  /// Errors: less than 0 or more than max() ends the process with a report.
  constexpr explicit wait_group(std::ptrdiff_t n) noexcept : core_(n) {}
  wait_group(const wait_group&) = delete;
  wait_group& operator=(const wait_group&) = delete;

  /// Adds `n` to the count. A negative `n` is the same as done(-n).
  /// Blocks: never.
  /// Errors: a count above max() ends the process with a report.
  void add(std::ptrdiff_t n = 1) noexcept {
    using core = detail::countdown;
    if (n < 0) return done(-std::max(n, -max()));
    const auto before =
        core_.state.fetch_add(core::checked(n) * core::one, std::memory_order_relaxed);
    if (before / core::one > max() - n) [[unlikely]]
      detail::countdown_out_of_range();
  }

  /// Takes `n` off the count.
  /// Blocks: never.
  /// Errors: a count below zero, or a negative `n`, ends the process with a report.
  void done(std::ptrdiff_t n = 1) noexcept {
    detail::countdown_take(
        core_, n, "a wait_group was told more often that something is done than was added");
  }
  /// The count now.
  [[nodiscard]] std::ptrdiff_t count() const noexcept { return core_.count(); }

  /// Waits until the count is zero.
  /// Blocks: the calling fiber or thread. A stop request does not end the wait; pass a token for
  /// that.
  void wait() {
    if (count() != 0) ended({});
  }
  /// Waits until the count is zero or a stop is requested on `stop`; true if it is zero.
  [[nodiscard]] bool wait(const std::stop_token& stop) {
    return count() == 0 || ended(detail::wait_limit(stop));
  }
  /// Waits until the count is zero, for at most `timeout`; true if it is zero.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::chrono::duration<Rep, Period>& timeout) {
    return count() == 0 || ended(detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return count() == 0 || ended(detail::wait_limit(detail::to_steady(deadline)));
  }
  /// Waits until the count is zero or a stop is requested, for at most `timeout`; true if it is
  /// zero.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::stop_token& stop,
                              const std::chrono::duration<Rep, Period>& timeout) {
    return count() == 0 || ended(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const std::stop_token& stop,
                                const std::chrono::time_point<Clock, Duration>& deadline) {
    return count() == 0 || ended(detail::wait_limit(stop, detail::to_steady(deadline)));
  }

 private:
  bool ended(const detail::wait_limit& limit) {
    return detail::countdown_wait(core_, detail::countdown_kind::wait_group, limit) ==
           detail::wait_end::ready;
  }
  detail::countdown core_;
};

}  // namespace WEFT_API weft
