// SPDX-License-Identifier: BSL-1.0
// sched/thaw.cpp - a preempted thread goes on because it is its turn: a worker gives the first in
// line its processor and lies down. What happens if others wait for a lock that it holds is
// watch/thawer.hpp; the proof that its turn comes is PREEMPT-3.
#include "sched/runtime_entry.hpp"

namespace weft::detail {

bool scheduler::thaw(worker& w) noexcept {
  worker* z = sleepers_.take_frozen();
  w.held->order.thaw_first = false;
  if (z == nullptr) return false;
  if (w.searching) stop_searching(w);
  processor& p = sleepers::detach(w);
  begin_turn(p);
  sleepers::give(*z, p);
  return true;
}

void scheduler::begin_turn(processor& p) noexcept {
  p.bump_tick();
  const std::int64_t now = os::now_ns();
  p.thawed_ns.store(now, std::memory_order_relaxed);
  p.order.delay_frozen(now, sleepers_.frozen_slice());
}

}  // namespace weft::detail
