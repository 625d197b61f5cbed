// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/rate_limiter.hpp - a token bucket: so many tokens a second on average, so many at once.

#include <chrono>
#include <cstdint>
#include <stop_token>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace WEFT_API weft {

namespace detail {

// The bucket as one moment: when it will be full (the "generic cell rate algorithm" of telephony).
// A token taken moves that moment on by `interval`. If it is more than `burst` intervals ahead, the
// caller waits.
struct bucket {
  std::int64_t interval = 0;  // ns per token, in 1/1024
  std::int64_t burst = 0;
  // Steady clock, in ns/1024; under the lock.
  wide full_at = 0;
  // Wakes no one: it is for the report if the object is destroyed while callers wait.
  wait_list waiters{};
};
[[nodiscard]] bucket make_bucket(double per_second, std::int64_t burst);
[[nodiscard]] bool bucket_acquire(bucket& b, std::int64_t n, const wait_limit& limit);

}  // namespace detail

/// Lets `per_second` acquisitions through per second, and up to `burst` at once after a pause. For
/// fibers of any runtime and for threads.
///
/// Fairness: callers are served in the order they came, also behind one that wants many tokens.
/// Orders: nothing.
/// Lifetime: no one may wait in it when it is destroyed; builds with assertions report the waiters.
/// Example: test/unit/examples_waiting_test.cpp [rate_limiter]
/// ```
///   weft::rate_limiter limit(100.0, 10);  // 100 requests a second, 10 at once
///   for (; !waiting.empty(); waiting.pop()) {
///     limit.acquire();
///     send(waiting.front());
///   }
/// ```
class rate_limiter {
 public:
  /// A full bucket.
  /// Throws: std::invalid_argument unless 1e-3 <= per_second <= 1e9 and 1 <= burst <= 1e6.
  explicit rate_limiter(double per_second, std::int64_t burst = 1)
      : bucket_(detail::make_bucket(per_second, burst)) {}
  rate_limiter(const rate_limiter&) = delete;
  rate_limiter& operator=(const rate_limiter&) = delete;

  /// Waits for `n` tokens and takes them.
  /// Blocks: the calling fiber or thread. A stop request does not end the wait; pass a token for
  /// that.
  /// Throws: std::invalid_argument if `n` is less than 1 or more than the burst.
  void acquire(std::int64_t n = 1) { static_cast<void>(detail::bucket_acquire(bucket_, n, {})); }
  /// Waits for `n` tokens until a stop is requested on `stop`; true if it took them. After a stop
  /// the tokens go back; callers behind it keep their times.
  [[nodiscard]] bool acquire(std::int64_t n, const std::stop_token& stop) {
    return detail::bucket_acquire(bucket_, n, detail::wait_limit(stop));
  }
  /// Takes `n` tokens if they are there; true if it did.
  /// Blocks: never.
  [[nodiscard]] bool try_acquire(std::int64_t n = 1) {
    return detail::bucket_acquire(bucket_, n,
                                  detail::wait_limit(std::chrono::steady_clock::time_point::min()));
  }
  /// Waits for `n` tokens for at most `timeout`; true if it took them. If they would come later
  /// than that, it returns false at once and takes none.
  template <class Rep, class Period>
  [[nodiscard]] bool acquire_for(std::int64_t n,
                                 const std::chrono::duration<Rep, Period>& timeout) {
    return detail::bucket_acquire(bucket_, n, detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool acquire_until(std::int64_t n,
                                   const std::chrono::time_point<Clock, Duration>& deadline) {
    return detail::bucket_acquire(bucket_, n, detail::wait_limit(detail::to_steady(deadline)));
  }
  /// The same, for at most `timeout` and until a stop is requested on `stop`.
  template <class Rep, class Period>
  [[nodiscard]] bool acquire_for(std::int64_t n, const std::stop_token& stop,
                                 const std::chrono::duration<Rep, Period>& timeout) {
    return detail::bucket_acquire(bucket_, n,
                                  detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest and until a stop is requested on `stop`.
  template <class Clock, class Duration>
  [[nodiscard]] bool acquire_until(std::int64_t n, const std::stop_token& stop,
                                   const std::chrono::time_point<Clock, Duration>& deadline) {
    return detail::bucket_acquire(bucket_, n,
                                  detail::wait_limit(stop, detail::to_steady(deadline)));
  }

 private:
  detail::bucket bucket_;
};

}  // namespace WEFT_API weft
