// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/timer_core.hpp - waiting for a timer is waiting until `due`, or until it is moved. Nothing
// runs when it comes due: a waiter takes the firing itself.
//   TIMEOUT-1  a firing is taken once: `due` is looked at and moved on under one lock.
//   TIMEOUT-2  a call that moves `due` wakes the waiters; they look again.
// Templates over the environment of waiting.hpp.

#include <algorithm>
#include <cstdint>

#include <weft/detail/timer_state.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

// ---- under the lock of `a`
template <class State>
[[nodiscard]] bool take_if_due(State& a, std::int64_t now) noexcept {
  if (a.due > now) return false;
  if (a.period == 0)
    a.due = timer_state::never;
  else
    // Missed ticks are dropped.
    a.due = std::min(saturated_sum(a.due + (now - a.due) / a.period * a.period, a.period),
                     timer_state::latest);
  return true;
}

/// `over(now)`: what ends the wait apart from the timer, if anything; `limit_until(due)`: the
/// limit, no later than that.
template <class Env, class State, class NewWaiter, class Over, class LimitUntil>
timer_wait_end wait_for_timer(State& a, NewWaiter&& new_waiter, Over&& over,
                              LimitUntil&& limit_until) {
  for (;;) {
    typename Env::waiter me = new_waiter();
    typename Env::guard g(&a);
    if (a.due == timer_state::never) return timer_wait_end::idle;
    const std::int64_t now = Env::now();
    if (take_if_due(a, now)) return timer_wait_end::fired;  // TIMEOUT-1
    if (const timer_wait_end end = over(now); end != timer_wait_end::fired) return end;
    const auto limit = limit_until(a.due);
    push_back(a.waiters, me);
    if (Env::park(g, me, limit) == wait_end::ready) continue;
    typename Env::guard again(&a);
    if (is_linked(me)) unlink(me);
  }
}

/// True: it was set, and not due yet.
template <class Env, class State>
bool move_timer(State& a, std::int64_t due, std::int64_t period) noexcept {
  typename Env::wait_list local;
  typename Env::wake_list out;
  typename Env::guard g(&a);
  const bool was_set = a.due != timer_state::never && a.due > Env::now();
  a.due = due;
  a.period = period;
  splice_back(local, a.waiters);
  wake_all<Env>(g, out, local);  // TIMEOUT-2
  return was_set;
}

}  // namespace weft::detail
