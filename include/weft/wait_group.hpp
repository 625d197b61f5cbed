// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/wait_group.hpp - waits until a number of things, not known in advance, are done: Go's
// sync.WaitGroup.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>

#include <weft/detail/countdown.hpp>

namespace weft {

/// A count that goes up with `add` and down with `done`, and lets its waiters go when it is zero.
/// Prefer weft::scope where fibers are what is waited for: it cannot forget one, and passes their
/// failures on.
///
/// Orders: everything before each `done`, before the return of the `wait` they satisfy.
/// Lifetime: whoever returns from `wait` may destroy it, if nobody else waits. It may be used again
/// and again, but
///           an `add` that lifts the count from zero must not run at the same time as a `wait`.
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
  constexpr wait_group() noexcept : core_(0) {}
  constexpr explicit wait_group(std::ptrdiff_t n) noexcept : core_(n) {}
  wait_group(const wait_group&) = delete;
  wait_group& operator=(const wait_group&) = delete;

  /// Blocks: never. A negative n is `done` n times.
  void add(std::ptrdiff_t n = 1) noexcept {
    if (n < 0)
      done(-n);
    else
      core_.state.fetch_add(n * detail::countdown::one, std::memory_order_relaxed);
  }
  /// Blocks: never. Below zero the process ends, with a report.
  void done(std::ptrdiff_t n = 1) noexcept {
    detail::countdown_take(
        core_, n, "a wait_group was told more often that something is done than was added");
  }
  [[nodiscard]] std::ptrdiff_t count() const noexcept { return core_.count(); }

  /// Waits until the count is zero.
  /// Blocks: the calling fiber, or thread. Not ended by a stop request; pass a token for that.
  void wait() {
    if (count() != 0) ended({});
  }
  /// The same until `stop` is requested, for a time, or both. Was the count zero?
  [[nodiscard]] bool wait(const std::stop_token& stop) {
    return count() == 0 || ended(detail::wait_limit(stop));
  }
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::chrono::duration<Rep, Period>& timeout) {
    return count() == 0 || ended(detail::wait_limit(detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return count() == 0 || ended(detail::wait_limit(detail::to_steady(deadline)));
  }
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::stop_token& stop,
                              const std::chrono::duration<Rep, Period>& timeout) {
    return count() == 0 || ended(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
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

}  // namespace weft
