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

#include <weft/detail/waiting.hpp>
#include <weft/mutex.hpp>

namespace weft {
namespace detail {

struct condition_state {
  std::atomic<std::uint32_t> waiting{0};  // how many are in the list; written under its lock
  wait_list waiters;
};
// What is unlocked once the caller is in the list.
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
/// A wait ends by notify_one or notify_all, at its deadline, or by the stop token it was given;
/// then it locks again before it returns or throws. It does not end for no reason, but write the
/// condition all the same: it may have changed again before the lock was taken. notify_one wakes
/// the one that has waited longest; one that times out or is stopped at that moment does not
/// swallow it.
/// Blocks: the waits block the calling fiber, or thread; notifying never does.
/// Orders: by the lock.   Lifetime: may be destroyed once everybody was notified, before they
/// return.
/// Throws: what the condition throws, locked. If locking again throws, std::terminate.
/// Example: test/unit/examples_locks_test.cpp [condition_variable]
/// ```
///   std::unique_lock guard(lock);
///   not_empty.wait(guard, [&] { return !queue.empty(); });
/// ```
class condition_variable {
 public:
  constexpr condition_variable() noexcept = default;
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;

  void notify_one() noexcept {
    // Relaxed: who waits for what the caller has changed was counted under the lock it was changed
    // under.
    if (state_.waiting.load(std::memory_order_relaxed) != 0) detail::condition_notify(state_, 1);
  }
  void notify_all() noexcept {
    if (state_.waiting.load(std::memory_order_relaxed) != 0)
      detail::condition_notify(state_, static_cast<std::uint32_t>(-1));
  }

  template <class Lock>
  void wait(Lock& lock) {
    wait_within(lock, {});
  }
  template <class Lock, class Predicate>
  void wait(Lock& lock, Predicate condition) {
    while (!condition()) wait_within(lock, {});
  }

  template <class Lock, class Clock, class Duration>
  std::cv_status wait_until(Lock& lock, const std::chrono::time_point<Clock, Duration>& deadline) {
    const detail::wait_end end = wait_within(lock, detail::wait_limit(detail::to_steady(deadline)));
    return end == detail::wait_end::timeout && detail::has_come(deadline)
               ? std::cv_status::timeout
               : std::cv_status::no_timeout;
  }
  template <class Lock, class Rep, class Period>
  std::cv_status wait_for(Lock& lock, const std::chrono::duration<Rep, Period>& timeout) {
    return wait_until(lock, detail::deadline_after(timeout));
  }
  /// Does the condition hold?
  template <class Lock, class Clock, class Duration, class Predicate>
  bool wait_until(Lock& lock, const std::chrono::time_point<Clock, Duration>& deadline,
                  Predicate condition) {
    while (!condition())
      if (wait_until(lock, deadline) == std::cv_status::timeout) return condition();
    return true;
  }
  template <class Lock, class Rep, class Period, class Predicate>
  bool wait_for(Lock& lock, const std::chrono::duration<Rep, Period>& timeout,
                Predicate condition) {
    return wait_until(lock, detail::deadline_after(timeout), std::move(condition));
  }

  /// The same, and a stop request ends the wait. Does the condition hold?
  template <class Lock, class Predicate>
  bool wait(Lock& lock, std::stop_token stop, Predicate condition) {
    return wait_until(lock, std::move(stop), detail::wait_limit::time_point::max(),
                      std::move(condition));
  }
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

}  // namespace weft
