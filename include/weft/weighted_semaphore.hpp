// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/weighted_semaphore.hpp - permits that are taken several at a time.

#include <chrono>
#include <cstdint>
#include <stop_token>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/event.hpp>
#include <weft/mutex.hpp>

namespace WEFT_API weft {

/// A number of permits, of which a caller takes several at once, for example one for each megabyte
/// it needs. Go's semaphore.Weighted.
///
/// Fairness: callers are served in the order they came. A small request does not overtake a large
/// one that waits, so none starves.
/// Blocks: `acquire` and its variants, the calling fiber or thread. A stop request does not end the
/// wait; pass a token for that.
/// Orders: everything before a release(), before the return of the acquire that it lets through.
/// Throws: std::invalid_argument if more permits are asked for than there are, or fewer than 0.
/// Example: test/unit/examples_locks_test.cpp [weighted semaphore]
/// ```
///   weft::weighted_semaphore megabytes(512);
///   megabytes.acquire(200);
///   const bool fits = megabytes.try_acquire(400);
///   megabytes.release(200);
/// ```
class weighted_semaphore {
 public:
  /// A semaphore with that many permits.
  /// Throws: std::invalid_argument if `permits` < 0.
  explicit weighted_semaphore(std::int64_t permits);
  weighted_semaphore(const weighted_semaphore&) = delete;
  weighted_semaphore& operator=(const weighted_semaphore&) = delete;

  /// Waits until `n` permits are free and all earlier callers have theirs, then takes them.
  void acquire(std::int64_t n) { static_cast<void>(take(n, {})); }
  /// The same, until a stop is requested on `stop`; true if it took them.
  [[nodiscard]] bool acquire(std::int64_t n, const std::stop_token& stop) {
    return take(n, detail::wait_limit(stop));
  }
  /// Takes `n` permits if they are free and no one waits; true if it did.
  /// Blocks: never.
  [[nodiscard]] bool try_acquire(std::int64_t n);
  /// Waits for `n` permits, for at most `timeout`; true if it took them.
  template <class Rep, class Period>
  [[nodiscard]] bool try_acquire_for(std::int64_t n,
                                     const std::chrono::duration<Rep, Period>& timeout) {
    return take(n, detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_acquire_until(std::int64_t n,
                                       const std::chrono::time_point<Clock, Duration>& deadline) {
    return take(n, detail::wait_limit(detail::to_steady(deadline)));
  }
  /// Gives back `n` permits.
  /// Throws: std::logic_error if fewer were taken.
  void release(std::int64_t n);
  /// The number of free permits now.
  [[nodiscard]] std::int64_t available() const;

 private:
  struct waiter {
    std::int64_t wanted;
    event granted{};
    waiter* next = nullptr;
    waiter* previous = nullptr;
  };
  struct waiting_agent;
  void check(std::int64_t n) const;
  bool take_now(std::int64_t n);
  bool take(std::int64_t n, const detail::wait_limit& limit);
  void grant();
  void remove(waiter& w) noexcept;

  mutable mutex mutex_;
  const std::int64_t permits_;
  std::int64_t free_;
  waiter* first_ = nullptr;
  waiter* last_ = nullptr;
};

}  // namespace WEFT_API weft
