// SPDX-License-Identifier: BSL-1.0
// sync/timer.cpp - timer and ticker in the scheduler's environment.
#include "sync/timer_core.hpp"

#include <algorithm>

namespace weft::detail {
namespace {

// Of a set timer: one that never comes has no place among the deadlines.
steady_time time_point_of(std::int64_t due) noexcept {
  return due == timer_state::latest ? steady_time::max() : steady_at(due);
}

}  // namespace

timer_wait_end timer_wait(timer_state& a, const wait_limit& limit) {
  yield_if_requested_slow();
  return wait_for_timer<waiting_env>(
      a, [&] { return waiter(park_reason::timer, &a); },
      [&](std::int64_t now) {
        if (limit.stop != nullptr && limit.stop->stop_requested()) return timer_wait_end::stopped;
        return steady_ns(limit.deadline) <= now ? timer_wait_end::timeout : timer_wait_end::fired;
      },
      [&](std::int64_t due) {
        wait_limit until = limit;
        until.deadline = std::min(limit.deadline, time_point_of(due));
        return until;
      });
}

bool timer_take(timer_state& a) noexcept {
  yield_if_requested_slow();
  const waiting_guard g(&a);
  return a.due != timer_state::never && take_if_due(a, os::now_ns());
}

bool timer_set(timer_state& a, std::chrono::steady_clock::time_point due,
               std::int64_t period) noexcept {
  return move_timer<waiting_env>(a, std::min(steady_ns(due), timer_state::latest), period);
}
bool timer_stop(timer_state& a) noexcept {
  return move_timer<waiting_env>(a, timer_state::never, 0);
}

}  // namespace weft::detail
