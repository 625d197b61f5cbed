// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/timer.hpp - timer, ticker and after: moments to wait for, alone or in a select. All on the
// steady clock.

#include <chrono>
#include <stdexcept>
#include <stop_token>

#include <weft/detail/timer_state.hpp>

namespace weft {

/// Fires once, at a moment that can be moved or called off. Whoever takes the firing - one wait, or
/// one select - gets it; then the timer is idle until `reset`. No firing is left over after `stop`
/// or `reset`. Between fibers of any runtime and threads.
///
/// Cost: none while nobody waits; a wait is one entry in a heap, and none when it was called off.
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
  timer() noexcept = default;  // idle
  template <class Rep, class Period>
  explicit timer(const std::chrono::duration<Rep, Period>& d) noexcept {
    reset(d);
  }
  template <class Clock, class Duration>
  explicit timer(const std::chrono::time_point<Clock, Duration>& t) noexcept {
    reset(t);
  }
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  /// Waits for the firing and takes it. False: it is idle, or was stopped or taken by another
  /// meanwhile.
  /// Blocks: the calling fiber, or thread. Not ended by a stop request; pass a token for that.
  bool wait() { return fired({}); }
  bool wait(const std::stop_token& stop) { return fired(detail::wait_limit(stop)); }
  /// Takes the firing if it is due. Blocks: never.
  [[nodiscard]] bool try_wait() noexcept { return detail::timer_take(state_); }

  /// Fires then, whatever it was set to. True: it was set, and not due yet. Those who wait go on to
  /// wait.
  template <class Rep, class Period>
  bool reset(const std::chrono::duration<Rep, Period>& d) noexcept {
    return detail::timer_set(state_, detail::deadline_after(d), 0);
  }
  template <class Clock, class Duration>
  bool reset(const std::chrono::time_point<Clock, Duration>& t) noexcept {
    return detail::timer_set(state_, detail::to_steady(t), 0);
  }
  /// It does not fire. True: it was set, and not due yet.
  bool stop() noexcept { return detail::timer_stop(state_); }

  /// For weft's own templates.
  [[nodiscard]] detail::timer_state& native_state() noexcept { return state_; }

 private:
  bool fired(const detail::wait_limit& limit) {
    return detail::timer_wait(state_, limit) == detail::timer_wait_end::fired;
  }
  detail::timer_state state_;
};

/// A timer that fires in a while: `weft::after(1s).wait()`; in a select, weft::on_timeout reads
/// better.
template <class Rep, class Period>
[[nodiscard]] timer after(const std::chrono::duration<Rep, Period>& d) noexcept {
  return timer(d);
}

/// Fires every `period`, counted from its start, not from when the last tick was taken: ticks do
/// not drift. A receiver that comes late gets one tick, at once, and those it missed besides are
/// dropped; the next comes at its time.
///
/// Example: test/unit/examples_waiting_test.cpp [ticker]
/// ```
///   auto reporter = weft::spawn([&] {
///     weft::ticker every(5ms);
///     while (every.wait(weft::this_fiber::stop_token())) report();
///   });
/// ```
class ticker {
 public:
  /// Throws: std::invalid_argument unless period > 0, and if the first tick is beyond what the
  /// steady clock can say (292 years): such a ticker never ticks. A timer takes such a time, as
  /// "never".
  template <class Rep, class Period>
  explicit ticker(const std::chrono::duration<Rep, Period>& period) {
    reset(period);
  }
  ticker(const ticker&) = delete;
  ticker& operator=(const ticker&) = delete;

  /// Waits for the next tick. False: the ticker was stopped, or `stop` was requested.
  /// Blocks: the calling fiber, or thread.
  bool wait() { return fired({}); }
  bool wait(const std::stop_token& stop) { return fired(detail::wait_limit(stop)); }
  /// Takes a tick that is due. Blocks: never.
  [[nodiscard]] bool try_wait() noexcept { return detail::timer_take(state_); }

  /// Starts anew, with that period. Throws: as the constructor.
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
  /// No more ticks.
  void stop() noexcept { detail::timer_stop(state_); }

  /// For weft's own templates.
  [[nodiscard]] detail::timer_state& native_state() noexcept { return state_; }

 private:
  bool fired(const detail::wait_limit& limit) {
    return detail::timer_wait(state_, limit) == detail::timer_wait_end::fired;
  }
  detail::timer_state state_;
};

}  // namespace weft
