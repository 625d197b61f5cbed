// SPDX-License-Identifier: BSL-1.0
// sync/alarm.cpp - waiting for an alarm is waiting until `due`, or until somebody moves it.
#include "sync/alarm.hpp"

#include <algorithm>

namespace weft::detail {
namespace {

std::int64_t nanoseconds(wait_limit::time_point t) noexcept {
  if (t == wait_limit::time_point::max()) return alarm_state::never;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
}
wait_limit::time_point time_point_of(std::int64_t ns) noexcept {
  if (ns == alarm_state::never) return wait_limit::time_point::max();
  return wait_limit::time_point(std::chrono::nanoseconds(ns));
}

bool change(alarm_state& a, std::int64_t due, std::int64_t period) noexcept {
  wait_list local;
  wake_list out;
  waiting_guard g(&a);
  const bool was_set = a.due != alarm_state::never && a.due > os::now_ns();
  a.due = due;
  a.period = period;
  splice_back(local, a.waiters);
  wake_all<waiting_env>(g, out, local);  // ALARM-2
  return was_set;
}

}  // namespace

alarm_end alarm_wait(alarm_state& a, const wait_limit& limit) {
  for (;;) {
    waiter me(park_reason::timer, &a);
    waiting_guard g(&a);
    if (a.due == alarm_state::never) return alarm_end::idle;
    const std::int64_t now = os::now_ns();
    if (take_if_due(a, now)) return alarm_end::fired;  // ALARM-1
    if (limit.stop != nullptr && limit.stop->stop_requested()) return alarm_end::stopped;
    if (nanoseconds(limit.deadline) <= now) return alarm_end::timeout;
    wait_limit until = limit;
    until.deadline = std::min(limit.deadline, time_point_of(a.due));
    push_back(a.waiters, me);
    if (waiting_env::park(g, me, until) == wait_end::ready) continue;
    waiting_guard again(&a);
    if (is_linked(me)) unlink(me);
  }
}

bool alarm_take(alarm_state& a) noexcept {
  const waiting_guard g(&a);
  return a.due != alarm_state::never && take_if_due(a, os::now_ns());
}

bool alarm_set(alarm_state& a, std::chrono::steady_clock::time_point due, std::int64_t period) noexcept {
  return change(a, nanoseconds(due), period);
}
bool alarm_stop(alarm_state& a) noexcept { return change(a, alarm_state::never, 0); }

}  // namespace weft::detail
