// SPDX-License-Identifier: BSL-1.0
// sync/alarm.cpp - timer and ticker in the scheduler's environment.
#include "sync/alarm_core.hpp"

#include <algorithm>

namespace weft::detail {
namespace {

// Of a set alarm: one that never comes has no place among the deadlines.
steady_time time_point_of(std::int64_t due) noexcept {
  return due == alarm_state::latest ? steady_time::max() : steady_at(due);
}

}  // namespace

alarm_end alarm_wait(alarm_state& a, const wait_limit& limit) {
  yield_if_requested_slow();
  return wait_for_alarm<waiting_env>(
      a, [&] { return waiter(park_reason::timer, &a); },
      [&](std::int64_t now) {
        if (limit.stop != nullptr && limit.stop->stop_requested()) return alarm_end::stopped;
        return steady_ns(limit.deadline) <= now ? alarm_end::timeout : alarm_end::fired;
      },
      [&](std::int64_t due) {
        wait_limit until = limit;
        until.deadline = std::min(limit.deadline, time_point_of(due));
        return until;
      });
}

bool alarm_take(alarm_state& a) noexcept {
  yield_if_requested_slow();
  const waiting_guard g(&a);
  return a.due != alarm_state::never && take_if_due(a, os::now_ns());
}

bool alarm_set(alarm_state& a, std::chrono::steady_clock::time_point due, std::int64_t period) noexcept {
  return move_alarm<waiting_env>(a, std::min(steady_ns(due), alarm_state::latest), period);
}
bool alarm_stop(alarm_state& a) noexcept { return move_alarm<waiting_env>(a, alarm_state::never, 0); }

}  // namespace weft::detail
