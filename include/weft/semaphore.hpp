// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/semaphore.hpp - std::counting_semaphore and std::binary_semaphore for fibers and threads.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stop_token>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace WEFT_API weft {
namespace detail {

struct semaphore_state {
  static constexpr std::int64_t waited_for = 1, one = 2;
  static constexpr std::ptrdiff_t most = std::numeric_limits<std::ptrdiff_t>::max() / 4;

  constexpr explicit semaphore_state(std::ptrdiff_t n) noexcept : word(n * one) {}

  // Permits, and whether anyone waits; see src/sync/semaphore_core.hpp.
  std::atomic<std::int64_t> word;
  wait_list waiters;
};

wait_end semaphore_acquire(semaphore_state& s, const wait_limit& limit);
void semaphore_release_contended(semaphore_state& s, std::ptrdiff_t n,
                                 std::ptrdiff_t most) noexcept;
[[noreturn]] void semaphore_overflow() noexcept;

}  // namespace detail

/// A number of permits: `acquire` takes one and waits while there is none, `release` gives some
/// back.
///
/// Fairness: permits that are released while callers wait go to the waiters in the order they came.
/// A later caller cannot overtake them.
/// Blocks: `acquire` and its variants, the calling fiber or thread. A stop request does not end the
/// wait; pass a token for that.
/// Orders: everything before a `release`, before the return of the acquire that it lets through.
/// Lifetime: a caller that has acquired may destroy it, if no one else waits, even before `release`
/// has returned.
/// Example: test/unit/examples_locks_test.cpp [semaphore]
/// ```
///   weft::counting_semaphore<> connections(10);
///   connections.acquire();
///   query();
///   connections.release();
/// ```
template <std::ptrdiff_t LeastMax = detail::semaphore_state::most>
class counting_semaphore {
  static_assert(LeastMax >= 0 && LeastMax <= detail::semaphore_state::most);

 public:
  /// The most permits.
  [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return LeastMax; }
  /// A semaphore with that many permits.
  /// Errors: less than 0 or more than max() ends the process with a report.
  constexpr explicit counting_semaphore(std::ptrdiff_t permits) noexcept
      : state_(checked(permits)) {}
  counting_semaphore(const counting_semaphore&) = delete;
  counting_semaphore& operator=(const counting_semaphore&) = delete;

  /// Gives back `n` permits.
  /// Blocks: never.
  /// Errors: more than max() permits in all end the process with a report.
  void release(std::ptrdiff_t n = 1) noexcept {
    std::int64_t w = state_.word.load(std::memory_order_relaxed);
    while ((w & state::waited_for) == 0) {
      if (n < 0 || n > max() - w / state::one) [[unlikely]]
        detail::semaphore_overflow();
      if (state_.word.compare_exchange_weak(w, w + n * state::one,
                                            std::memory_order_release,  // [SEM-1]
                                            std::memory_order_relaxed))
        return;
    }
    detail::semaphore_release_contended(state_, n, max());
  }

  /// Takes a permit if there is one; true if it did.
  /// Blocks: never.
  [[nodiscard]] bool try_acquire() noexcept {
    detail::check_resched();
    std::int64_t w = state_.word.load(std::memory_order_relaxed);
    while (w >= state::one)
      if (state_.word.compare_exchange_weak(w, w - state::one,
                                            std::memory_order_acquire,  // [SEM-1]
                                            std::memory_order_relaxed))
        return true;
    return false;
  }
  /// Takes a permit, waiting while there is none.
  void acquire() {
    if (!try_acquire()) detail::semaphore_acquire(state_, {});
  }
  /// Waits for a permit until a stop is requested on `stop`; true if it took one.
  [[nodiscard]] bool acquire(const std::stop_token& stop) {
    return try_acquire() || ended(detail::wait_limit(stop));
  }
  /// Waits for a permit for at most `timeout`; true if it took one.
  template <class Rep, class Period>
  [[nodiscard]] bool try_acquire_for(const std::chrono::duration<Rep, Period>& timeout) {
    return try_acquire() || ended(detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` has come on its own clock.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_acquire_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return try_acquire() || detail::wait_until_on_clock(deadline, [this](auto steady) {
             return ended(detail::wait_limit(steady));
           });
  }
  /// Waits for a permit until a stop is requested on `stop`, for at most `timeout`; true if it took
  /// one.
  template <class Rep, class Period>
  [[nodiscard]] bool try_acquire_for(const std::stop_token& stop,
                                     const std::chrono::duration<Rep, Period>& timeout) {
    return try_acquire() || ended(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_acquire_until(const std::stop_token& stop,
                                       const std::chrono::time_point<Clock, Duration>& deadline) {
    return try_acquire() || ended(detail::wait_limit(stop, detail::to_steady(deadline)));
  }

 private:
  using state = detail::semaphore_state;
  [[nodiscard]] static constexpr std::ptrdiff_t checked(std::ptrdiff_t n) noexcept {
    if (n < 0 || n > max()) [[unlikely]]
      detail::semaphore_overflow();
    return n;
  }
  bool ended(const detail::wait_limit& limit) {
    return detail::semaphore_acquire(state_, limit) == detail::wait_end::ready;
  }
  detail::semaphore_state state_;
};

/// A semaphore with at most one permit.
using binary_semaphore = counting_semaphore<1>;

}  // namespace WEFT_API weft
