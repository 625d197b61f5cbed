// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/shared_mutex.hpp - std::shared_mutex and std::shared_timed_mutex for fibers and threads.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace WEFT_API weft {
namespace detail {

enum class sharing : std::uint8_t { exclusive, shared };

struct shared_mutex_state {
  static constexpr std::uint32_t writer = 1, waited_for = 2, owned = 4, reader = 8;

  // src/sync/shared_mutex_core.hpp says which function writes which bit.
  std::atomic<std::uint32_t> word{0};
  wait_list waiters;
  // While `owned` is set: written by builds with assertions, for reports.
  std::atomic<void*> writer_is{nullptr};
  // With `owned`: the code that locked it. Without: an address in the writer's stack, or null.
  std::atomic<const void*> locked_at{nullptr};
};

bool shared_mutex_lock(shared_mutex_state& m, sharing how, const wait_limit& limit);
void shared_mutex_unlock(shared_mutex_state& m, sharing how) noexcept;
// In builds with assertions: called before a lock without a time limit, after an exclusive lock,
// before an unlock, and in the destructor.
void shared_mutex_check_lock(const shared_mutex_state& m);
void shared_mutex_note_writer(shared_mutex_state& m);
void shared_mutex_check_unlock(shared_mutex_state& m, sharing how);
void shared_mutex_check_destroy(const shared_mutex_state& m) noexcept;

}  // namespace detail

/// A lock for many readers or one writer, for std::shared_lock and std::unique_lock.
///
/// Do not lock it shared again while you hold it shared: a writer may have queued in between. If
/// you need several at once, lock them in one fixed order. std::lock, which holds one and tries the
/// next, can take long if hundreds of waiters queue for each, because the next one is nearly always
/// held; weft::mutex does not have this problem.
/// Fairness: a caller that finds a queue goes behind it, so neither writers nor readers starve. The
/// lock is handed over in the order of the queue. Readers that stand next to each other get it
/// together.
/// Blocks: the calling fiber or thread. A stop request does not end the wait; pass a token for
/// that.
/// Orders: everything before an unlock, before the return of every later lock that excludes it.
/// Lifetime: as weft::mutex.
/// Errors: in builds with assertions (NDEBUG not defined) these end the process with a report of
/// both sides: a lock by the fiber that already holds it exclusively, an exclusive unlock by
/// another caller, an unlock of a mutex that is not locked that way, and the destruction of a
/// locked one. Locks taken by code without assertions are not known. Readers are not recorded one
/// by one: a reader that locks exclusively waits for ever.
/// Example: test/unit/examples_locks_test.cpp [shared_mutex]
/// ```
///   weft::shared_mutex lock;
///   std::map<std::string, std::string> table;  // under lock
///   {
///     const std::lock_guard writer(lock);
///     table[name] = address;
///   }
///   {
///     const std::shared_lock reader(lock);
///     found = table.at(name);
///   }
/// ```
class shared_mutex {
 public:
  /// An unlocked mutex.
  constexpr shared_mutex() noexcept = default;
#ifndef NDEBUG
  /// In builds with assertions a locked mutex must not be destroyed.
  ~shared_mutex() { detail::shared_mutex_check_destroy(state_); }
#endif
  shared_mutex(const shared_mutex&) = delete;
  shared_mutex& operator=(const shared_mutex&) = delete;

  /// Waits until the mutex is free, then locks it exclusively.
  void lock() {
    detail::check_resched();
    will_lock();
    if (!take()) detail::shared_mutex_lock(state_, detail::sharing::exclusive, {});
    have_locked();
  }
  /// Locks it exclusively if it is free; true if it did.
  /// Blocks: never.
  [[nodiscard]] bool try_lock() noexcept {
    detail::check_resched();
    return take() && have_locked();
  }
  /// Takes back the exclusive lock of the caller.
  /// Blocks: never.
  void unlock() noexcept {
    will_unlock(detail::sharing::exclusive);
    std::uint32_t w = state::writer;
    if (!state_.word.compare_exchange_strong(w, 0, std::memory_order_release,
                                             std::memory_order_relaxed))  // [RW-1]
      detail::shared_mutex_unlock(state_, detail::sharing::exclusive);
  }
  /// Waits for the exclusive lock for at most `timeout`; true if it is locked now.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& timeout) {
    return try_lock() || lock_within(detail::sharing::exclusive,
                                     detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` has come on its own clock.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return try_lock() || detail::wait_until_on_clock(deadline, [this](auto steady) {
             return lock_within(detail::sharing::exclusive, detail::wait_limit(steady));
           });
  }
  /// Waits for the exclusive lock until a stop is requested on `stop`; true if it is locked now. A
  /// free mutex is locked in any case.
  [[nodiscard]] bool lock(const std::stop_token& stop) {
    return try_lock() || lock_within(detail::sharing::exclusive, detail::wait_limit(stop));
  }
  /// The same, for at most `timeout`.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::stop_token& stop,
                                  const std::chrono::duration<Rep, Period>& timeout) {
    return try_lock() || lock_within(detail::sharing::exclusive,
                                     detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::stop_token& stop,
                                    const std::chrono::time_point<Clock, Duration>& deadline) {
    return try_lock() || lock_within(detail::sharing::exclusive,
                                     detail::wait_limit(stop, detail::to_steady(deadline)));
  }

  /// Waits until no writer holds the mutex or waits for it, then locks it shared.
  void lock_shared() {
    will_lock();
    if (!try_lock_shared()) detail::shared_mutex_lock(state_, detail::sharing::shared, {});
  }
  /// Locks it shared if no writer holds it and no one waits; true if it did.
  /// Blocks: never.
  [[nodiscard]] bool try_lock_shared() noexcept {
    detail::check_resched();
    std::uint32_t w = state_.word.load(std::memory_order_relaxed);
    while ((w & (state::writer | state::waited_for)) == 0)
      if (state_.word.compare_exchange_weak(w, w + state::reader,
                                            std::memory_order_acquire,  // [RW-1]
                                            std::memory_order_relaxed))
        return true;
    return false;
  }
  /// Takes back one shared lock.
  /// Blocks: never.
  void unlock_shared() noexcept {
    will_unlock(detail::sharing::shared);
    std::uint32_t w = state_.word.load(std::memory_order_relaxed);
    while (w != (state::reader | state::waited_for))
      if (state_.word.compare_exchange_weak(w, w - state::reader,
                                            std::memory_order_release,  // [RW-1]
                                            std::memory_order_relaxed))
        return;
    detail::shared_mutex_unlock(state_, detail::sharing::shared);
  }
  /// Waits for the shared lock for at most `timeout`; true if it is locked now.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& timeout) {
    return try_lock_shared() || lock_within(detail::sharing::shared,
                                            detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` has come on its own clock.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_shared_until(
      const std::chrono::time_point<Clock, Duration>& deadline) {
    return try_lock_shared() || detail::wait_until_on_clock(deadline, [this](auto steady) {
             return lock_within(detail::sharing::shared, detail::wait_limit(steady));
           });
  }
  /// Waits for the shared lock until a stop is requested on `stop`; true if it is locked now.
  [[nodiscard]] bool lock_shared(const std::stop_token& stop) {
    return try_lock_shared() || lock_within(detail::sharing::shared, detail::wait_limit(stop));
  }
  /// The same, for at most `timeout`.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_shared_for(const std::stop_token& stop,
                                         const std::chrono::duration<Rep, Period>& timeout) {
    return try_lock_shared() ||
           lock_within(detail::sharing::shared,
                       detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_shared_until(
      const std::stop_token& stop, const std::chrono::time_point<Clock, Duration>& deadline) {
    return try_lock_shared() || lock_within(detail::sharing::shared,
                                            detail::wait_limit(stop, detail::to_steady(deadline)));
  }

 private:
  using state = detail::shared_mutex_state;
  bool lock_within(detail::sharing how, const detail::wait_limit& limit) {
    return detail::shared_mutex_lock(state_, how, limit) &&
           (how == detail::sharing::shared || have_locked());
  }
  bool take() noexcept {
    std::uint32_t w = 0;
    return state_.word.compare_exchange_strong(w, state::writer,
                                               std::memory_order_acquire,  // [RW-1]
                                               std::memory_order_relaxed);
  }
#ifdef NDEBUG
  void will_lock() noexcept {}
  bool have_locked() noexcept {
    state_.locked_at.store(detail::stack_here(), std::memory_order_relaxed);
    return true;
  }
  void will_unlock(detail::sharing how) noexcept {
    if (how == detail::sharing::exclusive)
      state_.locked_at.store(nullptr, std::memory_order_relaxed);
  }
#else
  void will_lock() { detail::shared_mutex_check_lock(state_); }
  bool have_locked() {
    detail::shared_mutex_note_writer(state_);
    return true;
  }
  void will_unlock(detail::sharing how) { detail::shared_mutex_check_unlock(state_, how); }
#endif
  detail::shared_mutex_state state_;
};

/// Every weft::shared_mutex is a timed mutex.
using shared_timed_mutex = shared_mutex;

}  // namespace WEFT_API weft
