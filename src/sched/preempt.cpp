// SPDX-License-Identifier: BSL-1.0
// sched/preempt.cpp - the processor of a thread that computes on and on goes to a spare one; the
// thread freezes with its fiber, in a signal handler, until some worker gives it a processor again.
//
//   monitor   1 reserves a spare as the worker's successor   2 notes the tick   3 sends the signal
//   handler   1 inside weft, or in a section of it under a lock: sets `resched_requested`, returns
//             2 enters, the tick is the same, nothing forbids it 3 takes the successor, gives it
//               the processor, wakes it          4 sleeps on its futex
//   spare     puts the frozen thread last in line, runs the others for a slice (service_order.hpp)
//   thaw      the first in line is given a processor (thaw.cpp); the handler returns into the
//             user's code
// The successor is a spare; if no thread is to be had, the frozen one that is first in line
// [PREEMPT-3]. The fiber never leaves its thread, so whatever it is in the middle of - malloc, a
// throw, a lock - is as safe as when the kernel preempts a thread. The handler does atomics and
// futex calls only; no thread is made in it. The request, with PREEMPT-1 and PREEMPT-2, is
// preempt_request.hpp.
// Rejected: switching the fiber away inside the handler (a lock taken in user code would change
// threads); a frozen thread that looks every so often whether the monitor gets on, and goes on by
// itself if not (a timer for each, and a lock in a handler, against what MON-3 makes impossible).
#include <cerrno>
#include <mutex>

#include "os/errno_guard.hpp"
#include "os/os.hpp"
#include "sched/preempt_trace.hpp"
#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

namespace weft::detail {
namespace {

constexpr std::int64_t longest_stand_by_ns = 5'000'000;

}  // namespace

bool on_preempt_signal(int, siginfo_t* info, void* context) {
  if (!os::is_own_signal(info)) return false;
  worker* w = this_worker();
  if (w == nullptr || !w->preemption.accept()) return true;  // [PREEMPT-2] a late one
  const int saved = os::error_number();
  if (w->gate.inside() || base::locks_held != 0)
    w->resched_requested.store(1, std::memory_order_relaxed);
  else
    w->home->freeze(*w, context);
  os::set_error_number(saved);
  return true;
}

bool scheduler::ask_to_preempt(processor& p, worker& w) noexcept {
  const std::uint32_t tick = p.seen.tick;
  if (!w.can_freeze) return true;
  if (!w.preemption.provided()) {
    worker* s = reserve_spare();
    if (s == nullptr && spares_asked_.load(std::memory_order_relaxed) > 0) return false;
    if (s == nullptr && (s = reserve_frozen()) == nullptr) return true;
    w.preemption.provide(*s);
    ++successors_;
    s->stands_by_since_ns = s->frozen ? os::now_ns() : 0;
    standing_by_ += s->frozen;
  }
  w.preemption.ask(tick);
  if (os::send_preempt_signal(w.thread_id(), options_.preempt_signal)) w.preemption.withdraw();
  return true;
}

// Successors whose worker came back to the scheduler before the signal found it; and a frozen one
// after a while, since others may have a turn for it.
void scheduler::collect_successors() noexcept {
  if (successors_ == 0) return;
  successors_ = standing_by_ = 0;
  const std::int64_t now = os::now_ns();
  for_each_worker([&](worker& w) {
    const worker* const provided = w.preemption.provided();
    if (provided == nullptr) return;
    const processor* p = w.gate.held();
    const std::int64_t stands_by = provided->stands_by_since_ns;
    const bool patient = stands_by == 0 || now - stands_by < longest_stand_by_ns;
    if (patient && p != nullptr && p->seen.tick == p->tick.load(std::memory_order_relaxed)) {
      ++successors_;
      standing_by_ += stands_by != 0;
      return;
    }
    if (worker* s = w.preemption.take_back()) release_spare(*s);  // PREEMPT-1
  });
}

// In the handler, outside weft, on the worker's alternate stack.
void scheduler::freeze(worker& w, const void* context) noexcept {
  processor* p = w.gate.enter();
  const fiber_record* f = w.current;
  const bool may = p != nullptr && f != nullptr && !f->has(fiber_record::unpreemptible) &&
                   f->no_preempt.load(std::memory_order_relaxed) == 0 &&
                   p->tick.load(std::memory_order_relaxed) == w.preemption.tick();
  if (!may || !w.gate.detach(p)) {
    w.gate.leave();
    return;
  }
  worker* s = w.preemption.take_spare();  // PREEMPT-1
  if (s == nullptr) {
    w.gate.attach(p);  // no other thread could reach it meanwhile
    w.gate.leave();
    return;
  }
  w.held = nullptr;
  p->holder.store(nullptr, std::memory_order_relaxed);
  if (trace::listened_to()) trace_interrupted_stack(*f, context);
  trace::emit(trace::event::preempt, f->id);
  preemptions_.fetch_add(1, std::memory_order_relaxed);
  s->froze = &w;
  const frozen_context::stay here(w.frozen_at, registers::of(context));
  if (!s->frozen) idle_.begin_search_for_sleeper();
  s->assigned.store(p, std::memory_order_release);  // [WAKE-1] take_assigned
  kick(*s);
  processor* back;
  while ((back = w.assigned.load(std::memory_order_acquire)) == nullptr) {  // [WAKE-1] thaw
    if (w.runs_detached.exchange(0, std::memory_order_acquire) != 0) {  // [PREEMPT-3] thaw_detached
      w.detached.store(true, std::memory_order_relaxed);
      trace::emit(trace::event::thaw, f->id);
      w.gate.leave();
      return;
    }
    w.parker.park();  // [WAKE-1] kick
  }
  w.assigned.store(nullptr, std::memory_order_relaxed);
  if (w.reserved) take_turn(w, *back);
  attach(w, *back);
  trace::emit(trace::event::thaw, f->id);
  w.gate.leave();
}

}  // namespace weft::detail
