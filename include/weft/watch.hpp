// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/watch.hpp - one value that many receivers follow; only the latest counts.

#include <chrono>
#include <concepts>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <utility>

#include <weft/condition_variable.hpp>
#include <weft/detail/export.hpp>
#include <weft/mutex.hpp>

namespace WEFT_API weft {

/// A value that is set from time to time and followed by any number of receivers. A slow receiver
/// sees the latest value and misses those between, so use it for settings and states, not for
/// queues. Tokio's watch channel.
///
/// Blocks: receiver::changed() and its variants, the calling fiber or thread; all else only for as
/// long as a value is copied.
/// Orders: everything before a send(), before the return of the changed() that sees it.
/// Lifetime: must outlive its receivers' calls, and its own: a receiver that sees the end must not
/// destroy it while close() may still run.
/// Example: test/unit/examples_futures_test.cpp [watch]
/// ```
///     weft::watch<int> level(1);
///     auto follower = weft::spawn([r = level.subscribe()]() mutable {
///       int sum = 0;
///       while (r.changed()) sum = r.get();  // until it is closed
///       return sum;
///     });
///     level.send(5);
///     level.close();
/// ```
template <std::copy_constructible T>
class watch {
 public:
  class receiver;

  /// A watch that holds `initial`, which counts as seen by all receivers.
  explicit watch(T initial) : value_(std::move(initial)) {}
  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;

  /// Replaces the value and wakes all receivers that wait. Returns false if it is closed.
  bool send(T value) {
    return update([&](T& old) { old = std::move(value); });
  }
  /// Changes the value in place by `f(value)`. Returns false, and does not call `f`, if it is
  /// closed.
  /// Throws: what `f` throws; the change then counts as none.
  template <std::invocable<T&> F>
  bool update(F&& f) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      std::forward<F>(f)(value_);
      ++version_;
    }
    changed_.notify_all();
    return true;
  }
  /// A copy of the value.
  [[nodiscard]] T get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  /// Ends the changes and wakes all receivers that wait. The last value remains.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }
  /// True after close().
  [[nodiscard]] bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  /// A receiver that has seen the present value.
  [[nodiscard]] receiver subscribe() const {
    const std::lock_guard lock(mutex_);
    return receiver(*this, version_);
  }

 private:
  mutable mutex mutex_;
  mutable condition_variable changed_;
  T value_;
  std::uint64_t version_ = 0;
  bool closed_ = false;
};

/// Follows a watch. A copy has seen what the original has seen. One fiber or thread uses it at a
/// time.
template <std::copy_constructible T>
class watch<T>::receiver {
 public:
  /// Waits until there is a value that get() has not returned yet. Returns false if the watch is
  /// closed and its last value seen.
  bool changed() {
    std::unique_lock lock(of_->mutex_);
    of_->changed_.wait(lock, [&] { return over(); });
    return news();
  }
  /// The same; also returns false as soon as a stop is requested on `stop`.
  [[nodiscard]] bool changed(const std::stop_token& stop) {
    std::unique_lock lock(of_->mutex_);
    of_->changed_.wait(lock, stop, [&] { return over(); });
    return news();
  }
  /// The same; also returns false after `timeout`.
  template <class Rep, class Period>
  [[nodiscard]] bool changed_for(const std::chrono::duration<Rep, Period>& timeout) {
    std::unique_lock lock(of_->mutex_);
    of_->changed_.wait_for(lock, timeout, [&] { return over(); });
    return news();
  }
  /// The same; also returns false at `deadline`.
  template <class Clock, class Duration>
  [[nodiscard]] bool changed_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    std::unique_lock lock(of_->mutex_);
    of_->changed_.wait_until(lock, deadline, [&] { return over(); });
    return news();
  }
  /// True if changed() would return true at once.
  [[nodiscard]] bool has_changed() const {
    const std::lock_guard lock(of_->mutex_);
    return news();
  }
  /// A copy of the value, which counts as seen from now on.
  [[nodiscard]] T get() {
    const std::lock_guard lock(of_->mutex_);
    T value = of_->value_;  // if that throws, nothing was seen
    seen_ = of_->version_;
    return value;
  }

 private:
  friend class watch;
  receiver(const watch& of, std::uint64_t seen) noexcept : of_(&of), seen_(seen) {}
  [[nodiscard]] bool news() const noexcept { return seen_ != of_->version_; }
  [[nodiscard]] bool over() const noexcept { return news() || of_->closed_; }

  const watch* of_;
  std::uint64_t seen_;
};

}  // namespace WEFT_API weft
