// SPDX-License-Identifier: BSL-1.0
// sched/idle.cpp - the lists of sleepers, and who wakes them. The counting is idle_state.hpp, with
// its proof.
//
//   retire: 1 under the lock: the processor to the idle ones, the worker to the parked ones
//           2 count, heavy fence [IDLE-1]
//           3 look at every source again; if there is work, take an idle processor back and search
//           4 sleep: one worker in the poller, with the earliest of all deadlines, the others on
//             their futex
//   wake:   1 claim the right to wake (try_claim_wake)
//           2 under the lock: assign an idle processor to a sleeper
//           3 wake its futex, or poller.interrupt()
//
// If a worker in the poller has events or due timers, it takes an idle processor and runs them
// itself: a readiness costs one kernel wake-up. If there is none, all workers are busy, and the
// events go to the inject queue. The poller's sleeper is woken last for other work, unless it had
// the last idle processor: then no worker must stay in the kernel to be woken by events that the
// busy workers look for themselves.
//
// [TIMER-1] A sleeper in the poller publishes until when, then reads the heaps; a retirer fences,
// then reads until when. Both are seq_cst: one of the two sees the other. Timers of busy processors
// belong to their holders, and to the monitor when they are late. The lists obey SLEEP-1..2,
// SLEEP-2 and SLEEP-3 (README; test/model/bound_worker_model.cpp).
// Rejected: a dedicated poller thread (two wake-ups per readiness), one wake per submit, timers on
// a thread of their own (a second timeout mechanism is how wake-ups get lost).
#include <algorithm>
#include <mutex>

#include "base/check.hpp"

#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

namespace weft::detail {

void scheduler::inject(fiber_record& f) noexcept {
  trace::emit(trace::event::inject, f.id);
  if (!on_monitor() && injected_.try_enqueue(&f)) [[likely]]
    injected_size_.fetch_add(1, std::memory_order_seq_cst);  // [IDLE-1] read in work_in_sight
  else
    push_no_alloc(f);  // [LOST-1]
  wake_one_if_needed();
}

// The inject queue for callers that must not allocate, or get no memory: the monitor [MON-3], a
// holder of the idle lock, and pushes that found no room [LOST-1].
void scheduler::push_no_alloc(fiber_record& f) noexcept {
  f.link = no_alloc_list_.load(std::memory_order_relaxed);
  // acquire in bring_late
  while (!no_alloc_list_.compare_exchange_weak(f.link, &f, std::memory_order_release,
                                               std::memory_order_relaxed)) {
  }
  injected_size_.fetch_add(1, std::memory_order_seq_cst);  // [IDLE-1]
}

void run_queue::push_elsewhere(fiber_record& f) noexcept { f.home->push_no_alloc(f); }

bool scheduler::work_in_sight() noexcept {
  if (injected_size_.load(std::memory_order_seq_cst) > 0) return true;
  if (frozen_count_.load(std::memory_order_seq_cst) > 0) return true;
  for (const auto& p : processors())
    if (p->stealable() > 0) return true;
  return false;
}

std::int64_t scheduler::earliest_timer() const noexcept {
  std::int64_t earliest = timer_queue::never;
  for (const auto& p : processors()) earliest = std::min(earliest, p->timers.earliest());
  return earliest;
}

void scheduler::attach(worker& w, processor& p) noexcept {
  w.held = &p;
  p.holder.store(&w, std::memory_order_relaxed);
  p.round_ns.store(os::now_ns(), std::memory_order_relaxed);
  if (w.own_fiber != nullptr) [[unlikely]]
    p.ask_to_check();  // [OWN-1] pick_local finds nothing here
  w.gate.attach(&p);
  wake_monitor();
}

void scheduler::kick(worker& w) noexcept {
  w.parker.unpark();  // [WAKE-1] sleep, freeze
}

// Under the idle lock. The role ends with the worker that has it, not with its wake-up: an
// interrupt addresses the waiter, and if the next one could wait already it would swallow what was
// meant for the first.
bool scheduler::wakeable_in_poller() const noexcept {
  return in_poller_ != nullptr && !in_poller_->reserved &&
         in_poller_->assigned.load(std::memory_order_relaxed) == nullptr;
}

void scheduler::wake_one() noexcept {
  if (!idle_.try_claim_wake()) return;
  worker* w = nullptr;
  bool in_poller = false;
  {
    const std::lock_guard guard(idle_lock_);
    const bool last = idle_processors_.size() == 1;
    in_poller = wakeable_in_poller() && (last || parked_.empty());
    w = in_poller ? in_poller_ : parked_.pop_back();
    if (w != nullptr) {
      WEFT_ASSERT(!idle_processors_.empty(), "a claimed idle processor is not in the list");
      w->assigned.store(idle_processors_.back(), std::memory_order_release);  // [WAKE-1] sleep
      idle_processors_.pop_back();
    } else {
      // Every thread is in user code, detached, or about to sleep: the next to come takes the
      // processor [SLEEP-4]. So it must be counted again before that thread can look.
      idle_.undo_claim_wake();
    }
  }
  if (w == nullptr) return;
  trace::emit(trace::event::worker_wake, 0, w->index);
  if (in_poller)
    poller_->interrupt();
  else
    kick(*w);
}

bool scheduler::take_idle_processor(worker& w) noexcept {
  if (!idle_.try_claim_idle()) return false;
  const std::lock_guard guard(idle_lock_);
  attach(w, *idle_processors_.back());
  idle_processors_.pop_back();
  return true;
}

// Under the idle lock: what a waker left for us.
bool scheduler::take_assigned(worker& w) noexcept {
  // [WAKE-1] wake_one, send_to_bound_worker, freeze, retake
  processor* p = w.assigned.load(std::memory_order_acquire);
  if (p == nullptr) return false;
  w.assigned.store(nullptr, std::memory_order_relaxed);
  w.reserved = false;
  w.searching = true;
  attach(w, *p);
  // Its last fiber has kept others waiting, those outside, too.
  if (p->has_waiting()) {
    p->bump_tick();
    p->ask_to_check();
  }
  if (worker* frozen = std::exchange(w.froze, nullptr)) line_up_frozen(*p, *frozen);
  return true;
}

bool scheduler::retire(worker& w) noexcept {
  processor* p = w.held;
  p->count_steps();
  while (!w.gate.detach(p)) static_cast<void>(w.gate.await_taker());
  w.held = nullptr;
  p->holder.store(nullptr, std::memory_order_relaxed);
  const bool searching = std::exchange(w.searching, false);
  {
    const std::lock_guard guard(idle_lock_);
    idle_processors_.push_back(p);
    (w.own_fiber != nullptr ? own_asleep_ : parked_).push_back(w);
  }
  idle_.retire(searching);
  // [TIMER-1] the sleeper in the poller must know of the timers I leave behind.
  const std::int64_t mine = p->timers.earliest();
  if (mine < poll_until_.load(std::memory_order_seq_cst) &&
      poll_until_.load(std::memory_order_seq_cst) != INT64_MIN)
    poller_->interrupt();
  if (w.own_fiber != nullptr) {
    if (work_in_sight()) wake_one_if_needed();  // [OWN-3] not for us
  } else if (work_in_sight() && idle_.try_unretire()) {
    const std::lock_guard guard(idle_lock_);
    // Reserved meanwhile: the monitor counts on us, and its rounds see the work we saw
    // (watch_idle).
    if (w.assigned.load(std::memory_order_acquire) == nullptr && !w.reserved) {
      w.unlink();
      attach(w, *idle_processors_.back());
      idle_processors_.pop_back();
      w.searching = true;
      return true;
    }
    idle_.undo_claim_wake();  // we were woken meanwhile, with a processor
  }
  return sleep(w);
}

// Until a processor is assigned, or the poller brings work and there is an idle one. False: the
// threads end.
bool scheduler::sleep(worker& w) noexcept {
  bool expires = true;
  for (;;) {
    bool poll = false, reserved = false;
    // goes to the inject queue, which may ask for memory: not under the lock [PREEMPT-3]
    fiber_record* left = nullptr;
    {
      const std::lock_guard guard(idle_lock_);
      if (take_assigned(w)) return true;
      if (threads_end_.load(std::memory_order_acquire)) {  // [LIFE-3] end_threads
        if (w.linked()) w.unlink();
        return false;
      }
      // [SLEEP-4] A waker that looked for a sleeper while we were in no list found none, and left
      // its work to us.
      if (!w.reserved && w.own_fiber == nullptr && work_in_sight() && idle_.try_unretire()) {
        if (w.linked()) w.unlink();
        attach(w, *idle_processors_.back());
        idle_processors_.pop_back();
        w.searching = true;
        return true;
      }
      // posted while we were going to sleep: it needs us, and we need a processor
      if (w.bound_queue != nullptr && !w.reserved) {
        if (idle_.try_claim_idle()) {
          if (w.linked()) w.unlink();
          attach(w, *idle_processors_.back());
          idle_processors_.pop_back();
          return true;
        }
        left = std::exchange(w.bound_queue, nullptr);
        w.resched_requested.store(0, std::memory_order_relaxed);
      }
      reserved = w.reserved;
      if (reserved) {
        // In no list: the thread that reserved us wakes us, or puts us into one.
      } else if (w.own_fiber != nullptr) {
        if (!w.linked()) own_asleep_.push_back(w);
      } else if (in_poller_ == nullptr) {
        in_poller_ = &w;
        if (w.linked()) w.unlink();
        poll = true;
      } else if (!w.linked()) {
        parked_.push_back(w);
      }
    }
    while (left != nullptr) {  // the worker that finds it there hands us a processor
      fiber_record* next = left->link;
      inject(*left);
      left = next;
    }
    trace::emit(trace::event::worker_sleep, 0, poll);
    w.counters.sleeps.add();
    if (poll) {
      if (sleep_in_poller(w)) return true;
    } else {
      if (!expires || reserved || w.own_fiber != nullptr) {
        w.parker.park();  // [WAKE-1] kick
      } else if (!w.parker.park_until(os::now_ns() +
                                      idle_thread_ns_.load(std::memory_order_relaxed))) {
        if (may_end(w)) return false;
        expires = false;  // once: a sleeper that is wanted costs nothing
      }
      trace::emit(trace::event::worker_awake, 0);
    }
  }
}

// It was not needed for long. More sleepers than there are idle processors [RESIZE-3] and, once
// over, processors that may block are a burst's leftovers: those end, the ones that sleep longest
// first.
bool scheduler::may_end(worker& w) noexcept {
  const std::lock_guard guard(idle_lock_);
  // Woken or reserved just now; a fiber that lives needs this very thread.
  if (!w.linked() || w.reserved || w.bound_queue != nullptr || w.own_fiber != nullptr) return false;
  std::size_t sleepers = 0;
  for ([[maybe_unused]] worker& s : parked_) ++sleepers;
  if (sleepers <= idle_processors_.size() + counts_.serving()) return false;
  w.unlink();
  if (own_ended_ > 0) --own_ended_;               // [OWN-2] it may be one of those
  w.started.store(0, std::memory_order_release);  // [MON-2] its thread is not asked any more
  return true;
}

bool scheduler::sleep_in_poller(worker& w) noexcept {
  poll_until_.store(INT64_MAX, std::memory_order_seq_cst);  // [TIMER-1] before the heaps are read
  // With every processor busy, timers are not ours to look at: a worker that retires interrupts us.
  const std::int64_t until = idle_.idle() > 0 ? earliest_timer() : timer_queue::never;
  poll_until_.store(until, std::memory_order_seq_cst);
  // Between the two stores a retirer with an earlier timer interrupts for nothing, which is
  // harmless.
  poll_source::batch& ready = w.ready;
  poller_->poll(until <= 0 ? 1 : until, ready);
  const std::int64_t now = os::now_ns();
  polled_at_.store(now, std::memory_order_relaxed);
  poll_until_.store(INT64_MIN, std::memory_order_seq_cst);

  const bool due = earliest_timer() <= now;
  bool claimed = false;
  {
    const std::lock_guard guard(idle_lock_);
    in_poller_ = nullptr;
    if (take_assigned(w)) {
      claimed = true;
    } else if ((due || !ready.empty()) && !w.reserved && idle_.try_claim_idle()) {
      if (w.linked()) w.unlink();  // put back meanwhile (release_spare)
      attach(w, *idle_processors_.back());
      idle_processors_.pop_back();
      claimed = true;
    }
  }
  trace::emit(trace::event::worker_awake, 0);
  trace::emit_at_once(trace::event::poll, 0, ready.size());
  w.counters.polls.add();
  w.counters.poll_events.add(ready.size());
  for (fiber_record* f : ready) trace_ready(&w, *f, 0);
  if (!claimed) {
    for (fiber_record* f : ready) inject(*f);
    ready.clear();
    return false;
  }
  const std::size_t n = ready.size();
  for (fiber_record* f : ready) w.held->push_ready(f);
  ready.clear();
  std::size_t fired = 0;
  if (due)
    for (const auto& p : processors()) fired += fire_timers(w, *p);
  if (n + fired > 1 && !w.searching) wake_one_if_needed();
  return true;
}

// No worker waits in the poller, some processor is idle, and the running workers do not look: a
// sleeper takes the role.
bool scheduler::appoint_poller() noexcept {
  const std::lock_guard guard(idle_lock_);
  if (in_poller_ != nullptr || parked_.empty()) return false;
  kick(*parked_.back());
  return true;
}

// A fiber parks on a thread that has no processor, and so no heap. Any will do: a busy one is
// looked after by its holder and the monitor, an idle one by the sleeper in the poller, which must
// know [TIMER-1].
timer_queue& scheduler::timers_for_outside() noexcept { return processors_.front()->timers; }
void scheduler::tell_of_timer(std::int64_t when) noexcept {
  // [TIMER-1] sleep_in_poller
  const std::int64_t until = poll_until_.load(std::memory_order_seq_cst);
  if (until != INT64_MIN && when < until) poller_->interrupt();
  wake_monitor();
}

// `f` must run on its own thread: give that thread our processor, or leave it the fiber if it has
// one already.
void scheduler::send_to_bound_worker(worker& w, fiber_record& f) noexcept {
  worker& to = *f.bound;
  bool in_poller = false;
  {
    const std::lock_guard guard(idle_lock_);
    f.link = nullptr;
    fiber_record** end = &to.bound_queue;
    while (*end != nullptr) end = &(*end)->link;
    *end = &f;
    to.resched_requested.store(1, std::memory_order_release);  // [SLEEP-3] find
    const bool asleep = (to.linked() && !to.frozen) || (in_poller_ == &to && wakeable_in_poller());
    if (!asleep) return;
    in_poller = in_poller_ == &to;
    if (!in_poller) to.unlink();
    while (!w.gate.detach(w.held)) static_cast<void>(w.gate.await_taker());
    w.held->holder.store(nullptr, std::memory_order_relaxed);
    to.assigned.store(std::exchange(w.held, nullptr), std::memory_order_release);  // [WAKE-1] sleep
    idle_.begin_search_for_sleeper();
  }
  trace::emit(trace::event::send_to_bound_worker, f.id, to.index);
  if (in_poller)
    poller_->interrupt();
  else
    kick(to);
}

}  // namespace weft::detail
