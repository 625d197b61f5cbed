// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/recursive_mutex.hpp - std::recursive_mutex and std::recursive_timed_mutex for fibers and
// threads.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>

#include <weft/detail/export.hpp>
#include <weft/mutex.hpp>

namespace WEFT_API weft {
namespace detail {
/// The caller: the fiber, or the thread if no fiber runs on it.
[[nodiscard]] void* agent_key();
[[noreturn]] void recursive_unlock_by_stranger(const void* mutex, void* owner) noexcept;
}  // namespace detail

/// A mutex that its owner may lock again. It becomes free after as many unlocks as locks. The owner
/// is the fiber, not its thread.
///
/// Fairness: this and blocking, ordering and lifetime are as for weft::mutex.
/// Errors: an unlock by anyone but the owner ends the process with a report.
/// Example: test/unit/examples_locks_test.cpp [recursive_mutex]
/// ```
///   class account {
///    public:
///     void add(int n) {
///       const std::lock_guard guard(lock_);
///       balance_ += n;
///     }
///     void add_twice(int n) {
///       const std::lock_guard guard(lock_);
///       add(n);
///       add(n);
///     }
///     int balance() const { return balance_; }
///
///    private:
///     weft::recursive_mutex lock_;
///     int balance_ = 0;
///   };
/// ```
class recursive_mutex {
 public:
  /// An unlocked mutex.
  constexpr recursive_mutex() noexcept = default;
  recursive_mutex(const recursive_mutex&) = delete;
  recursive_mutex& operator=(const recursive_mutex&) = delete;

  /// Waits until the mutex is free or the caller's own, then locks it once more.
  void lock() {
    void* const me = detail::agent_key();
    if (again(me)) return;
    mutex_.lock();
    begin(me);
  }
  /// Locks the mutex if it is free or the caller's own; true if it did.
  /// Blocks: never.
  [[nodiscard]] bool try_lock() {
    void* const me = detail::agent_key();
    if (again(me)) return true;
    return mutex_.try_lock() && begin(me);
  }
  /// Waits for the mutex for at most `timeout`; true if it is locked now.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& timeout) {
    return try_lock_until(detail::deadline_after(timeout));
  }
  /// The same, until `deadline` has come on its own clock.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    void* const me = detail::agent_key();
    if (again(me)) return true;
    return mutex_.try_lock_until(deadline) && begin(me);
  }
  /// Waits for the mutex until a stop is requested on `stop`; true if it is locked now.
  [[nodiscard]] bool lock(const std::stop_token& stop) {
    void* const me = detail::agent_key();
    return again(me) || (mutex_.lock(stop) && begin(me));
  }
  /// The same, for at most `timeout`.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::stop_token& stop,
                                  const std::chrono::duration<Rep, Period>& timeout) {
    void* const me = detail::agent_key();
    return again(me) || (mutex_.try_lock_for(stop, timeout) && begin(me));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::stop_token& stop,
                                    const std::chrono::time_point<Clock, Duration>& deadline) {
    void* const me = detail::agent_key();
    return again(me) || (mutex_.try_lock_until(stop, deadline) && begin(me));
  }
  /// Takes back one lock of the caller. The last one frees the mutex.
  /// Blocks: never.
  void unlock() {
    // Relaxed, here and in again(): a caller finds itself here only if it is the owner.
    void* const owner = owner_.load(std::memory_order_relaxed);
    if (owner != detail::agent_key()) [[unlikely]]
      detail::recursive_unlock_by_stranger(this, owner);
    if (--depth_ != 0) return;
    owner_.store(nullptr, std::memory_order_relaxed);
    mutex_.unlock();
  }

 private:
  bool again(void* me) noexcept {
    if (owner_.load(std::memory_order_relaxed) != me) return false;
    ++depth_;
    return true;
  }
  bool begin(void* me) noexcept {
    owner_.store(me, std::memory_order_relaxed);
    depth_ = 1;
    return true;
  }

  mutex mutex_;
  std::atomic<void*> owner_{nullptr};
  // Touched only by the owner.
  std::uint32_t depth_ = 0;
};

/// Every weft::recursive_mutex is a timed mutex.
using recursive_timed_mutex = recursive_mutex;

}  // namespace WEFT_API weft
