// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/event.hpp - a flag that fibers and threads can wait for.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace WEFT_API weft {

class event;

namespace detail {
void event_set(event& e) noexcept;
wait_end event_wait(event& e, const wait_limit& limit);
}  // namespace detail

/// A flag one can wait for. Once set it stays set, and lets all callers through, until `reset`. For
/// fibers of any runtime and for threads.
///
/// Orders: everything before `set`, before the return of a `wait` that it satisfies, or of an
/// `is_set` that returns true.
/// Lifetime: a caller that returns from `wait` may destroy it, even before `set` has returned.
/// Example: test/unit/examples_locks_test.cpp [event]
/// ```
///   weft::event ready;
///   auto server = weft::spawn([&] {
///     listen();
///     ready.set();
///     serve();
///   });
///   ready.wait();
/// ```
class event {
 public:
  /// An event that is not set.
  constexpr event() noexcept = default;
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  /// Sets the flag and wakes all waiters.
  /// Blocks: never.
  void set() noexcept { detail::event_set(*this); }
  /// Clears the flag.
  /// Blocks: never.
  void reset() noexcept { set_.store(0, std::memory_order_release); }
  /// True if the flag is set.
  [[nodiscard]] bool is_set() const noexcept {
    return set_.load(std::memory_order_acquire) != 0;  // [EVENT-1] event_set
  }

  /// Waits until the flag is set.
  /// Blocks: the calling fiber or thread. A stop request does not end the wait; pass a token for
  /// that.
  void wait() {
    if (!is_set()) detail::event_wait(*this, {});
  }
  /// Waits until the flag is set or a stop is requested on `stop`; true if it is set.
  [[nodiscard]] bool wait(const std::stop_token& stop) {
    return is_set() || ended(detail::wait_limit(stop));
  }
  /// Waits until the flag is set, for at most `timeout`; true if it is set.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::chrono::duration<Rep, Period>& timeout) {
    return is_set() || ended(detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return is_set() || ended(detail::wait_limit(detail::to_steady(deadline)));
  }
  /// Waits until the flag is set or a stop is requested, for at most `timeout`; true if it is set.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const std::stop_token& stop,
                              const std::chrono::duration<Rep, Period>& timeout) {
    return is_set() || ended(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const std::stop_token& stop,
                                const std::chrono::time_point<Clock, Duration>& deadline) {
    return is_set() || ended(detail::wait_limit(stop, detail::to_steady(deadline)));
  }

 private:
  friend void detail::event_set(event&) noexcept;
  friend detail::wait_end detail::event_wait(event&, const detail::wait_limit&);
  bool ended(const detail::wait_limit& limit) {
    return detail::event_wait(*this, limit) == detail::wait_end::ready || is_set();
  }

  std::atomic<std::uint32_t> set_{0};
  detail::wait_list waiters_;
};

}  // namespace WEFT_API weft
