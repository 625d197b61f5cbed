// SPDX-License-Identifier: BSL-1.0
// sched/deactivate.cpp - a processor leaves service, by the worker that holds it [RESIZE-2]: fibers
// go to the inject queue, deadlines to the first processor, which never becomes inactive. It is
// held by nobody then, not counted idle, in the list of the inactive; the thread becomes a spare.
// Fibers do not notice: bound ones need their thread, not its processor, and are handed one by
// the worker that finds them. watch/resizer.hpp asks for it, and empties idle processors.
#include <utility>

#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

namespace weft::detail {

// Inside weft, on the worker's own stack. True: its processor becomes inactive, and it has none.
bool scheduler::rest(worker& w) noexcept {
  processor& p = *w.held;
  if (p.index == 0 || !counts_.try_claim()) return false;
  drain(p);
  sleepers_.add_inactive(sleepers::detach(w));
  trace::emit(trace::event::processor_deactivate, 0, p.index);
  if (std::exchange(w.searching, false)) static_cast<void>(sleepers_.end_search());
  // We leave as a retirer does, only that no processor stays behind. What was published while we
  // counted as searching is seen by the look in `sleep`, which takes an idle processor for it; if
  // there is none, the busy ones look before they retire.
  base::real_sync::heavy_fence();  // [IDLE-1] light_fence in must_wake
  // A thread of one fiber takes none, and does not look.
  if (w.own_fiber != nullptr && work_in_sight()) wake_one_if_needed();  // [OWN-3] not for us
  return true;
}

// By its holder, or by the thread that has taken it from the idle ones: a thread of one fiber
// leaves its processor idle with what lies in its queues [OWN-3].
void scheduler::drain(processor& p) noexcept {
  if (fiber_record* f = std::exchange(p.set_aside, nullptr)) inject(*f);
  p.share();
  while (fiber_record* f = p.ready.take()) inject(*f);
  while (fiber_record* f = p.local.take()) inject(*f);
  p.share();     // the hints
  p.order = {};  // the next look at the inject queue is one at the frozen ones, too
  move_timers(p);
}

// To the first processor, held or not. Its holder and the monitor look at its heap; so does the
// sleeper in the poller, which must know [TIMER-1].
void scheduler::move_timers(processor& from) noexcept {
  timer_queue& to = processors_.front()->timers;
  const std::int64_t earliest = from.timers.earliest();
  if (earliest == timer_queue::never) return;
  from.timers.move_to(to);
  sleepers_.tell_poller(earliest);  // [TIMER-1] sleep_in_poller
}

}  // namespace weft::detail
