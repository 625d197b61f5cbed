// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/condition_variable.hpp - std::condition_variable and std::condition_variable_any for fibers
// and threads.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>

#include <weft/detail/at_exit.hpp>
#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/mutex.hpp>

namespace WEFT_API weft {
namespace detail {

struct condition_state {
  // Not 0 exactly while a waiter is in the list; written under the list's lock.
  std::atomic<std::uint32_t> waiting{0};
  wait_list waiters;
};
// The lock that is released once the caller is in the list.
struct unlockable {
  void* lock;
  void (*unlock)(void*);
};
wait_end condition_wait(condition_state& c, const unlockable& l, const wait_limit& limit);
void condition_notify(condition_state& c, std::uint32_t most) noexcept;

}  // namespace detail

/// Waits for a condition on data that a lock protects: std::unique_lock<weft::mutex>, or any other
/// lock.
///
/// A wait unlocks, parks, and locks again before it returns or throws. It ends by notify_one or
/// notify_all, at its deadline, or by the stop token it was given. Spurious wake-ups do not occur;
/// pass a condition all the same, because it may have become false again before the lock was taken.
/// notify_one wakes the longest waiter; a waiter that times out or is stopped at that moment does
/// not swallow the notification.
/// Blocks: the waits, the calling fiber or thread; notifying never blocks.
/// Orders: as the lock does.
/// Throws: what the condition throws, with the lock held; what unlocking throws, without a wait. If
/// locking again throws, std::terminate is called.
/// Lifetime: may be destroyed once every waiter was notified, even before they return.
/// Example: test/unit/examples_locks_test.cpp [condition_variable]
/// ```
///   std::unique_lock guard(lock);
///   not_empty.wait(guard, [&] { return !queue.empty(); });
/// ```
class condition_variable {
 public:
  /// A condition without waiters.
  constexpr condition_variable() noexcept = default;
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;

  /// Wakes the waiter that has waited longest, if there is one.
  void notify_one() noexcept {
    // Relaxed: a waiter for what the caller has changed was noted under the lock under which the
    // caller changed it.
    if (state_.waiting.load(std::memory_order_relaxed) != 0) detail::condition_notify(state_, 1);
  }
  /// Wakes all waiters.
  void notify_all() noexcept {
    if (state_.waiting.load(std::memory_order_relaxed) != 0)
      detail::condition_notify(state_, static_cast<std::uint32_t>(-1));
  }

  /// Unlocks `lock`, waits until notified, and locks it again.
  template <class Lock>
  void wait(Lock& lock) {
    wait_within(lock, {});
  }
  /// Waits until `condition()` is true. It is called with the lock held.
  template <class Lock, class Predicate>
  void wait(Lock& lock, Predicate condition) {
    while (!condition()) wait_within(lock, {});
  }

  /// Waits until notified, until `deadline` has come on its own clock at the latest. Returns
  /// timeout or no_timeout.
  template <class Lock, class Clock, class Duration>
  std::cv_status wait_until(Lock& lock, const std::chrono::time_point<Clock, Duration>& deadline) {
    const detail::wait_end end = wait_within(lock, detail::wait_limit(detail::to_steady(deadline)));
    return end == detail::wait_end::timeout && detail::has_come(deadline)
               ? std::cv_status::timeout
               : std::cv_status::no_timeout;
  }
  /// Waits until notified, for at most `timeout`. Returns timeout or no_timeout.
  template <class Lock, class Rep, class Period>
  std::cv_status wait_for(Lock& lock, const std::chrono::duration<Rep, Period>& timeout) {
    return wait_until(lock, detail::deadline_after(timeout));
  }
  /// Waits until `condition()` is true, until `deadline` at the latest. Returns what `condition()`
  /// last returned.
  template <class Lock, class Clock, class Duration, class Predicate>
  bool wait_until(Lock& lock, const std::chrono::time_point<Clock, Duration>& deadline,
                  Predicate condition) {
    while (!condition())
      if (wait_until(lock, deadline) == std::cv_status::timeout) return condition();
    return true;
  }
  /// Waits until `condition()` is true, for at most `timeout`. Returns what `condition()` last
  /// returned.
  template <class Lock, class Rep, class Period, class Predicate>
  bool wait_for(Lock& lock, const std::chrono::duration<Rep, Period>& timeout,
                Predicate condition) {
    return wait_until(lock, detail::deadline_after(timeout), std::move(condition));
  }

  /// Waits until `condition()` is true or a stop is requested on `stop`. Returns what `condition()`
  /// last returned.
  template <class Lock, class Predicate>
  bool wait(Lock& lock, std::stop_token stop, Predicate condition) {
    return wait_until(lock, std::move(stop), detail::wait_limit::time_point::max(),
                      std::move(condition));
  }
  /// The same, until `deadline` at the latest.
  template <class Lock, class Clock, class Duration, class Predicate>
  bool wait_until(Lock& lock, std::stop_token stop,
                  const std::chrono::time_point<Clock, Duration>& deadline, Predicate condition) {
    while (!stop.stop_requested()) {
      if (condition()) return true;
      const detail::wait_limit limit(stop, detail::to_steady(deadline));
      if (wait_within(lock, limit) == detail::wait_end::timeout && detail::has_come(deadline))
        break;
    }
    return condition();
  }
  /// The same, for at most `timeout`.
  template <class Lock, class Rep, class Period, class Predicate>
  bool wait_for(Lock& lock, std::stop_token stop, const std::chrono::duration<Rep, Period>& timeout,
                Predicate condition) {
    return wait_until(lock, std::move(stop), detail::deadline_after(timeout), std::move(condition));
  }

 private:
  template <class Lock>
  struct released {
    Lock& lock;
    bool is_released = false;
    static void release(void* self) {
      auto* const r = static_cast<released*>(self);
      r->lock.unlock();
      r->is_released = true;
    }
    ~released() {
      if (is_released) lock.lock();
    }
  };
  template <class Lock>
  detail::wait_end wait_within(Lock& lock, const detail::wait_limit& limit) {
    released<Lock> until_done{lock};
    return detail::condition_wait(state_, {std::addressof(until_done), &released<Lock>::release},
                                  limit);
  }

  detail::condition_state state_;
};

/// Every weft::condition_variable takes any lock.
using condition_variable_any = condition_variable;

/// Keeps `lock` until the calling fiber or thread ends and its fiber_local values are gone; then
/// unlocks it and wakes all waiters of `condition`.
/// Throws: std::bad_alloc.
/// Lifetime: `condition` and the mutex must outlive the calling fiber or thread.
inline void notify_all_at_thread_exit(condition_variable& condition, std::unique_lock<mutex> lock) {
  detail::at_exit_run([&condition, lock = std::move(lock)]() mutable {
    lock.unlock();
    condition.notify_all();
  });
}

}  // namespace WEFT_API weft
