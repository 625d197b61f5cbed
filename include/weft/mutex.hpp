// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/mutex.hpp - std::mutex and std::timed_mutex for fibers and threads.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace WEFT_API weft {
namespace detail {

struct mutex_state {
  static constexpr std::uint32_t locked = 1, waited_for = 2, woken = 4, owned = 8, given = 16,
                                 hurry = 32;

  // src/sync/mutex_core.hpp says which function writes which bit.
  std::atomic<std::uint32_t> word{0};
  wait_list waiters;
  // While `owned` is set: written by builds with assertions, for reports.
  std::atomic<void*> owner{
      nullptr};  // while `owned` is set: by builds with assertions, for reports
  // With `owned`: the code that locked it. Without: an address in the owner's stack, from which
  // reports find the owner.
  std::atomic<const void*> locked_at{nullptr};
};

bool mutex_lock(mutex_state& m, const wait_limit& limit);
void mutex_lock_politely(mutex_state& m);  // taken, but one in a hurry is on its way
void mutex_unlock(mutex_state& m) noexcept;
// In builds with assertions: the same, and the owner is recorded.
bool mutex_lock_checked(mutex_state& m, const wait_limit& limit);
bool mutex_try_lock_checked(mutex_state& m) noexcept;
void mutex_unlock_checked(mutex_state& m) noexcept;
void mutex_destroy_checked(mutex_state& m) noexcept;

}  // namespace detail

/// Mutual exclusion, for std::lock_guard, std::unique_lock and std::scoped_lock.
///
/// Fairness: waiters queue in the order they came. An unlock wakes the first one, but the next
/// caller takes the mutex, often the one that has just unlocked it; this is fast. A waiter that
/// loses goes back to the front. Once it has waited a millisecond, one of the next two unlocks
/// hands the mutex over to it.
/// Blocks: `lock`, the calling fiber or thread. As with std::mutex a stop request does not end the
/// wait; pass a token for that.
/// Orders: everything before an unlock, before the return of the next lock.
/// Lifetime: the last owner may destroy it right after its unlock.
/// Errors: in builds with assertions (NDEBUG not defined) a second lock by the owner, an unlock by
/// another caller, and the destruction of a locked mutex end the process with a report of both
/// sides and their calls. The calls that led to the lock are found by frame pointers: compile with
/// -fno-omit-frame-pointer to see all of them.
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
  /// An unlocked mutex.
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;
#ifdef NDEBUG
  /// In builds with assertions a locked mutex must not be destroyed.
  ~mutex() = default;

  /// Waits until the mutex is free, then locks it.
  void lock() {
    detail::check_resched();
    const std::uint32_t before =
        state_.word.fetch_or(state::locked, std::memory_order_acquire);  // [MUTEX-1]
    if ((before & (state::locked | state::hurry)) != 0) [[unlikely]] {
      if ((before & state::locked) != 0)
        detail::mutex_lock(state_, {});
      else
        detail::mutex_lock_politely(state_);
    }
    leave_trace();
  }
  /// Locks the mutex if it is free; true if it did.
  /// Blocks: never.
  [[nodiscard]] bool try_lock() noexcept {
    detail::check_resched();
    if (!take()) return false;
    leave_trace();
    return true;
  }
  /// Unlocks the mutex, which the caller must have locked.
  /// Blocks: never.
  void unlock() noexcept {
    std::uint32_t w = state::locked;
    state_.locked_at.store(nullptr, std::memory_order_relaxed);
    if (!state_.word.compare_exchange_strong(w, 0, std::memory_order_release,  // [MUTEX-1]
                                             std::memory_order_relaxed)) [[unlikely]]
      detail::mutex_unlock(state_);
  }
#else
  /// In builds with assertions a locked mutex must not be destroyed.
  ~mutex() { detail::mutex_destroy_checked(state_); }

  /// Waits until the mutex is free, then locks it.
  void lock() { detail::mutex_lock_checked(state_, {}); }
  /// Locks the mutex if it is free; true if it did.
  [[nodiscard]] bool try_lock() noexcept { return detail::mutex_try_lock_checked(state_); }
  /// Unlocks the mutex, which the caller must have locked.
  void unlock() noexcept { detail::mutex_unlock_checked(state_); }
#endif

  /// Waits for the mutex for at most `timeout`; true if it is locked now.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& timeout) {
    return try_lock() || lock_within(detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` has come on its own clock.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return try_lock() || detail::wait_until_on_clock(deadline, [this](auto steady) {
             return lock_within(detail::wait_limit(steady));
           });
  }

  /// Waits for the mutex until a stop is requested on `stop`; true if it is locked now. A free
  /// mutex is locked in any case.
  [[nodiscard]] bool lock(const std::stop_token& stop) {
    return try_lock() || lock_within(detail::wait_limit(stop));
  }
  /// The same, for at most `timeout`.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::stop_token& stop,
                                  const std::chrono::duration<Rep, Period>& timeout) {
    return try_lock() || lock_within(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
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
  // For reports of the holder. The store goes to a cache line that this core has just taken.
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

/// Every weft::mutex is a timed mutex.
using timed_mutex = mutex;

}  // namespace WEFT_API weft
