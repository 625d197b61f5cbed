// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/timer.hpp - timer, ticker and after: moments on the steady clock, to wait for alone or in a
// select.

#include <chrono>
#include <stdexcept>
#include <stop_token>

#include <weft/detail/export.hpp>
#include <weft/detail/timer_state.hpp>

namespace WEFT_API weft {

/// Fires once, at a moment that can be moved or cancelled. For fibers of any runtime and for
/// threads.
///
/// One wait or one select takes the firing; then the timer is idle until `reset`. After `stop` or
/// `reset` no earlier firing is left over.
/// Costs: nothing while no one waits. A wait costs one entry in a heap, or none if the timer is
/// idle.
/// Example: test/unit/examples_waiting_test.cpp [timer]
/// ```
///   weft::timer idle(30s);
///   for (bool open = true; open;) {
///     weft::select(weft::on_receive(requests,
///                                   [&](auto r) {
///                                     idle.reset(30s);
///                                     open = serve(r);
///                                   }),
///                  weft::on_timer(idle, [&] { open = false; }));
///   }
/// ```
class timer {
 public:
  /// An idle timer.
  timer() noexcept = default;
  /// A timer that fires after `d`.
  template <class Rep, class Period>
  explicit timer(const std::chrono::duration<Rep, Period>& d) noexcept {
    reset(d);
  }
  /// A timer that fires at `t`.
  template <class Clock, class Duration>
  explicit timer(const std::chrono::time_point<Clock, Duration>& t) noexcept {
    reset(t);
  }
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  /// Waits for the firing and takes it. Returns false if the timer is idle, or is stopped or its
  /// firing taken by another during the wait.
  /// Blocks: the calling fiber or thread. A stop request does not end the wait; pass a token for
  /// that.
  bool wait() { return fired({}); }
  /// The same; also returns false as soon as a stop is requested on `stop`.
  bool wait(const std::stop_token& stop) { return fired(detail::wait_limit(stop)); }
  /// Takes the firing if it is due; true if it did.
  /// Blocks: never.
  [[nodiscard]] bool try_wait() noexcept { return detail::timer_take(state_); }

  /// Sets the timer to fire after `d` instead. Returns true if it was set and not due yet. Waiters
  /// keep waiting, for the new moment.
  /// Blocks: never.
  template <class Rep, class Period>
  bool reset(const std::chrono::duration<Rep, Period>& d) noexcept {
    return detail::timer_set(state_, detail::deadline_after(d), 0);
  }
  /// Sets the timer to fire at `t` instead. Otherwise the same.
  template <class Clock, class Duration>
  bool reset(const std::chrono::time_point<Clock, Duration>& t) noexcept {
    return detail::timer_set(state_, detail::to_steady(t), 0);
  }
  /// Cancels the firing. Returns true if the timer was set and not due yet.
  /// Blocks: never.
  bool stop() noexcept { return detail::timer_stop(state_); }

  /// For weft's own templates.
  [[nodiscard]] detail::timer_state& native_state() noexcept { return state_; }

 private:
  bool fired(const detail::wait_limit& limit) {
    return detail::timer_wait(state_, limit) == detail::timer_wait_end::fired;
  }
  detail::timer_state state_;
};

/// A timer that fires after `d`: `weft::after(1s).wait()`. In a select weft::on_timeout reads
/// better.
template <class Rep, class Period>
[[nodiscard]] timer after(const std::chrono::duration<Rep, Period>& d) noexcept {
  return timer(d);
}

/// Fires every `period`, counted from its start. Ticks do not drift if they are taken late.
///
/// A receiver that comes late gets one tick at once; the others it missed are dropped. The next
/// tick comes at its time.
/// Example: test/unit/examples_waiting_test.cpp [ticker]
/// ```
///   auto reporter = weft::spawn([&] {
///     weft::ticker every(5ms);
///     while (every.wait(weft::this_fiber::stop_token())) report();
///   });
/// ```
class ticker {
 public:
  /// Starts a ticker.
  /// Throws: std::invalid_argument if the period is not positive, or if the first tick is later
  /// than the steady clock can say (292 years). (A timer accepts such a time, as "never".)
  template <class Rep, class Period>
  explicit ticker(const std::chrono::duration<Rep, Period>& period) {
    reset(period);
  }
  ticker(const ticker&) = delete;
  ticker& operator=(const ticker&) = delete;

  /// Waits for the next tick. Returns false if the ticker is stopped.
  /// Blocks: the calling fiber or thread.
  bool wait() { return fired({}); }
  /// The same; also returns false as soon as a stop is requested on `stop`.
  bool wait(const std::stop_token& stop) { return fired(detail::wait_limit(stop)); }
  /// Takes a tick that is due; true if it did.
  /// Blocks: never.
  [[nodiscard]] bool try_wait() noexcept { return detail::timer_take(state_); }

  /// Starts anew, with that period.
  /// Throws: as the constructor.
  template <class Rep, class Period>
  void reset(const std::chrono::duration<Rep, Period>& period) {
    const std::int64_t ns = detail::saturated_ns(period);
    if (ns <= 0) throw std::invalid_argument("weft::ticker: the period must be more than nothing");
    const detail::steady_time first = detail::deadline_after(period);
    if (first == detail::steady_time::max())
      throw std::invalid_argument(
          "weft::ticker: with a period of more than 292 years it would never tick; use weft::timer "
          "for never");
    detail::timer_set(state_, first, ns);
  }
  /// Ends the ticks.
  /// Blocks: never.
  void stop() noexcept { detail::timer_stop(state_); }

  /// For weft's own templates.
  [[nodiscard]] detail::timer_state& native_state() noexcept { return state_; }

 private:
  bool fired(const detail::wait_limit& limit) {
    return detail::timer_wait(state_, limit) == detail::timer_wait_end::fired;
  }
  detail::timer_state state_;
};

}  // namespace WEFT_API weft
