// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/recursive_mutex.hpp - std::recursive_mutex and std::recursive_timed_mutex for fibers and
// threads.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>

#include <weft/mutex.hpp>

namespace weft {
namespace detail {
/// Who calls: the fiber, or the thread outside one.
[[nodiscard]] void* agent_key();
[[noreturn]] void recursive_unlock_by_stranger(const void* mutex, void* owner) noexcept;
}  // namespace detail

/// A mutex that its owner may lock again; it is free after as many unlocks. The owner is the fiber,
/// not its thread.
///
/// Fairness, order, blocking, lifetime: as weft::mutex.
/// An unlock by anybody but the owner ends the process with a report.
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
  constexpr recursive_mutex() noexcept = default;
  recursive_mutex(const recursive_mutex&) = delete;
  recursive_mutex& operator=(const recursive_mutex&) = delete;

  void lock() {
    void* const me = detail::agent_key();
    if (again(me)) return;
    mutex_.lock();
    begin(me);
  }
  [[nodiscard]] bool try_lock() {
    void* const me = detail::agent_key();
    if (again(me)) return true;
    return mutex_.try_lock() && begin(me);
  }
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& timeout) {
    return try_lock_until(detail::deadline_after(timeout));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    void* const me = detail::agent_key();
    if (again(me)) return true;
    return mutex_.try_lock_until(deadline) && begin(me);
  }
  /// As weft::mutex: gives up when `stop` is requested, or after that time as well. True: locked.
  [[nodiscard]] bool lock(const std::stop_token& stop) {
    void* const me = detail::agent_key();
    return again(me) || (mutex_.lock(stop) && begin(me));
  }
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::stop_token& stop,
                                  const std::chrono::duration<Rep, Period>& timeout) {
    void* const me = detail::agent_key();
    return again(me) || (mutex_.try_lock_for(stop, timeout) && begin(me));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::stop_token& stop,
                                    const std::chrono::time_point<Clock, Duration>& deadline) {
    void* const me = detail::agent_key();
    return again(me) || (mutex_.try_lock_until(stop, deadline) && begin(me));
  }
  void unlock() {
    // Relaxed, here and below: only the owner finds itself.
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
  std::uint32_t depth_ = 0;  // the owner's
};

/// Every weft::recursive_mutex is a timed one.
using recursive_timed_mutex = recursive_mutex;

}  // namespace weft
