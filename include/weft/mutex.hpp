// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/mutex.hpp - std::mutex and std::timed_mutex for fibers and threads.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>

#include <weft/detail/waiting.hpp>

namespace weft {
namespace detail {

struct mutex_state {
  static constexpr std::uint32_t locked = 1, waited_for = 2, woken = 4, owned = 8, given = 16;

  std::atomic<std::uint32_t> word{0};  // src/sync/mutex_core.hpp says who writes which bit
  wait_list waiters;
  std::atomic<void*> owner{
      nullptr};  // while `owned` is set: by builds with assertions, for reports
  // With `owned`: the code that locked it. Without: where the owner's stack was, which tells
  // reports whose it is.
  std::atomic<const void*> locked_at{nullptr};
};

bool mutex_lock(mutex_state& m, const wait_limit& limit);
void mutex_unlock(mutex_state& m) noexcept;
// With assertions: the same, and remembers who owns it.
bool mutex_lock_checked(mutex_state& m, const wait_limit& limit);
bool mutex_try_lock_checked(mutex_state& m) noexcept;
void mutex_unlock_checked(mutex_state& m) noexcept;
void mutex_destroy_checked(mutex_state& m) noexcept;

}  // namespace detail

/// Mutual exclusion. Fits std::lock_guard, std::unique_lock and std::scoped_lock.
///
/// Fairness: waiters queue in the order they came. An unlock wakes the first, and whoever comes
/// first takes the mutex - often the one who just let go of it, which is fast. A waiter that lost
/// goes back to the front; once it has waited a millisecond, the next unlock, or the one after,
/// gives it the mutex and nobody can come between.
/// Orders: what was done before an unlock, before the return of the next lock.
/// Blocks: `lock` the calling fiber, or thread. As std::mutex it is not ended by a stop request;
/// pass a token for that.
/// Lifetime: whoever locks it last may destroy it after the unlock.
/// With assertions (NDEBUG not defined) a second lock by the owner, an unlock by another and the
/// destruction of a locked mutex end the process with a report of both sides and the calls that led
/// to each (to the lock by frame pointers: compile with -fno-omit-frame-pointer to see all of
/// them).
/// Example: test/unit/examples_locks_test.cpp [mutex]
/// ```
///   weft::mutex lock;
///   std::map<std::string, int> count;  // under lock
///   {
///     const std::lock_guard guard(lock);
///     ++count[word];
///   }
/// ```
class mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;
#ifdef NDEBUG
  ~mutex() = default;

  void lock() {
    detail::check_resched();
    if (!take()) [[unlikely]]
      detail::mutex_lock(state_, {});
    leave_trace();
  }
  [[nodiscard]] bool try_lock() noexcept {
    detail::check_resched();
    if (!take()) return false;
    leave_trace();
    return true;
  }
  void unlock() noexcept {
    std::uint32_t w = state::locked;
    state_.locked_at.store(nullptr, std::memory_order_relaxed);
    if (!state_.word.compare_exchange_strong(w, 0, std::memory_order_release,  // [MUTEX-1]
                                             std::memory_order_relaxed)) [[unlikely]]
      detail::mutex_unlock(state_);
  }
#else
  ~mutex() { detail::mutex_destroy_checked(state_); }

  void lock() { detail::mutex_lock_checked(state_, {}); }
  [[nodiscard]] bool try_lock() noexcept { return detail::mutex_try_lock_checked(state_); }
  void unlock() noexcept { detail::mutex_unlock_checked(state_); }
#endif

  /// Gives up after that time. True: locked.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& timeout) {
    return try_lock() || lock_within(detail::wait_limit(detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return try_lock() || detail::wait_until_on_clock(deadline, [this](auto steady) {
             return lock_within(detail::wait_limit(steady));
           });
  }

  /// Gives up when `stop` is requested, or after that time as well. True: locked. A mutex that is
  /// free is locked in any case.
  [[nodiscard]] bool lock(const std::stop_token& stop) {
    return try_lock() || lock_within(detail::wait_limit(stop));
  }
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::stop_token& stop,
                                  const std::chrono::duration<Rep, Period>& timeout) {
    return try_lock() || lock_within(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::stop_token& stop,
                                    const std::chrono::time_point<Clock, Duration>& deadline) {
    return try_lock() || lock_within(detail::wait_limit(stop, detail::to_steady(deadline)));
  }

 private:
  using state = detail::mutex_state;

  bool take() noexcept {
    return (state_.word.fetch_or(state::locked, std::memory_order_acquire) & state::locked) ==
           0;  // [MUTEX-1]
  }
  // For reports of who holds it: a store to a line that is ours just now.
  void leave_trace() noexcept {
    state_.locked_at.store(detail::stack_here(), std::memory_order_relaxed);
  }
  bool lock_within(const detail::wait_limit& limit) {
#ifdef NDEBUG
    if (!detail::mutex_lock(state_, limit)) return false;
    leave_trace();
    return true;
#else
    return detail::mutex_lock_checked(state_, limit);
#endif
  }

  detail::mutex_state state_;
};

/// Every weft::mutex is a timed one.
using timed_mutex = mutex;

}  // namespace weft
