// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/rate_limiter.hpp - a token bucket: so many per second on average, so many at once.

#include <chrono>
#include <cstdint>
#include <stop_token>

#include <weft/detail/waiting.hpp>

namespace weft {

namespace detail {

// The bucket as one moment (the "generic cell rate algorithm" of telephony): when it will be full.
// A token taken moves it on by `interval`; more than `burst` intervals ahead means to wait.
struct bucket {
  std::int64_t interval = 0;  // ns per token, in 1/1024
  std::int64_t burst = 0;
  wide full_at = 0;     // steady clock, ns/1024; under the lock
  wait_list waiters{};  // nobody is woken through it: it is for the report of a destruction
};
[[nodiscard]] bucket make_bucket(double per_second, std::int64_t burst);
[[nodiscard]] bool bucket_acquire(bucket& b, std::int64_t n, const wait_limit& limit);

}  // namespace detail

/// Lets `per_second` acquisitions through per second, and up to `burst` at once after a pause. Who
/// asks first is served first, also behind somebody who asked for many. Between fibers of any
/// runtime and threads.
///
/// Orders: nothing.   Lifetime: nobody may wait in it when it is destroyed; builds with assertions
///                    report who does.
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
  /// Throws: std::invalid_argument unless 1e-3 <= per_second <= 1e9 and 1 <= burst <= 1e6.
  explicit rate_limiter(double per_second, std::int64_t burst = 1)
      : bucket_(detail::make_bucket(per_second, burst)) {}
  rate_limiter(const rate_limiter&) = delete;
  rate_limiter& operator=(const rate_limiter&) = delete;

  /// Waits for n tokens.
  /// Blocks: the calling fiber, or thread; not ended by a stop request, pass a token for that.
  /// Throws: std::invalid_argument if n is less than 1 or more than the burst.
  void acquire(std::int64_t n = 1) { static_cast<void>(detail::bucket_acquire(bucket_, n, {})); }
  /// The same until a stop is requested: false then, and the tokens go back; who waits behind keeps
  /// its time.
  [[nodiscard]] bool acquire(std::int64_t n, const std::stop_token& stop) {
    return detail::bucket_acquire(bucket_, n, detail::wait_limit(stop));
  }
  /// Takes n tokens that are there. Blocks: never.
  [[nodiscard]] bool try_acquire(std::int64_t n = 1) {
    return detail::bucket_acquire(bucket_, n,
                                  detail::wait_limit(std::chrono::steady_clock::time_point::min()));
  }
  /// Waits at most that long; if the tokens come later than that, it says so at once, and takes
  /// none.
  template <class Rep, class Period>
  [[nodiscard]] bool acquire_for(std::int64_t n,
                                 const std::chrono::duration<Rep, Period>& timeout) {
    return detail::bucket_acquire(bucket_, n, detail::wait_limit(detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool acquire_until(std::int64_t n,
                                   const std::chrono::time_point<Clock, Duration>& deadline) {
    return detail::bucket_acquire(bucket_, n, detail::wait_limit(detail::to_steady(deadline)));
  }
  /// The same, and until a stop is requested.
  template <class Rep, class Period>
  [[nodiscard]] bool acquire_for(std::int64_t n, const std::stop_token& stop,
                                 const std::chrono::duration<Rep, Period>& timeout) {
    return detail::bucket_acquire(bucket_, n,
                                  detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool acquire_until(std::int64_t n, const std::stop_token& stop,
                                   const std::chrono::time_point<Clock, Duration>& deadline) {
    return detail::bucket_acquire(bucket_, n,
                                  detail::wait_limit(stop, detail::to_steady(deadline)));
  }

 private:
  detail::bucket bucket_;
};

}  // namespace weft
