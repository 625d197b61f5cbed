// SPDX-License-Identifier: BSL-1.0
// sched/thaw.cpp - a frozen thread goes on because it is its turn: a worker gives the first in line
// its processor and lies down. What happens if others wait for a lock that it holds is
// watch/thawer.hpp; the proof that its turn comes is PREEMPT-3. Threads freeze in the handler that
// preempts them; and on their way back into weft without a processor, if their fiber runs a
// std::stop_callback and must stay with them (CB-1).
#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

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

// In the handler of the preemption signal, too: atomics and futex calls, and the idle lock, whose
// holder is never frozen.
bool scheduler::wait_for_turn(worker& w) noexcept {
  processor* back;
  while ((back = w.assigned.load(std::memory_order_acquire)) == nullptr) {  // [WAKE-1] thaw
    // [PREEMPT-3] thaw_detached, end_threads
    if (w.runs_detached.exchange(0, std::memory_order_acquire) != 0) return false;
    w.parker.park();  // [WAKE-1] wake
  }
  w.assigned.store(nullptr, std::memory_order_relaxed);
  if (w.reserved) {  // what thaw does, and take_assigned
    begin_turn(*back);
    sleepers_.take_turn(w, *back);
  }
  sleepers_.attach(w, *back);
  return true;
}

// [CB-1] Unlike the handler it gives no processor away whose next holder would look at the line. So
// an idle one is woken, as for a fiber that was queued [IDLE-1]. Inside weft it cannot continue
// without a processor, and thaw_detached passes it over.
bool scheduler::wait_frozen(worker& w) noexcept {
  trace::emit(trace::event::requeue, w.current->id);
  trace::emit(trace::event::worker_sleep, 0, 0);
  if (!sleepers_.line_up(w) || !wait_for_turn(w)) return false;
  trace::emit(trace::event::fiber_resume, w.current->id);
  return true;
}

void scheduler::begin_turn(processor& p) noexcept {
  p.bump_tick();
  const std::int64_t now = os::now_ns();
  p.thawed_ns.store(now, std::memory_order_relaxed);
  p.order.delay_frozen(now, sleepers_.frozen_slice());
}

}  // namespace weft::detail
