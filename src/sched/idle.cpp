// SPDX-License-Identifier: BSL-1.0
// sched/idle.cpp - a worker that has found nothing looks once more and sleeps. The lists are
// sleepers.hpp; the counting, with its proof, is idle_state.hpp.
//
//   retire: 1 under the lock: my processor to the idle ones, me to the parked     2 count, heavy
//   fence [IDLE-1]
//           3 look at every source again; work there: take an idle processor back, search
//           4 sleep: one worker in the poller (it keeps everybody's deadlines), the others on their
//             futex
//   wake:   1 the right to (try_claim_wake)   2 under the lock: a processor and a sleeper, tied
//           together 3 its futex, or poller.interrupt()
// Timers of busy processors are their own business, and the monitor's when they are late.
// A descriptor that only a busy fiber reads would wake the sleeper in the poller with each message.
// If every registered one has had an event and nobody waits, in either direction, it gives the role
// up for a while (up to 1 ms), as long as somebody is busy: a worker that retires meanwhile takes
// it [SLEEP-5].
// Rejected: a dedicated poller thread (two wake-ups per readiness), one wake per submit, timers on
// a thread of their own (a second timeout mechanism is how wake-ups get lost).
#include <algorithm>

#include "sched/no_alloc_list.hpp"
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

void scheduler::inject_from_outside(fiber_record& f) noexcept {
  visitors_.enter();  // [LIFE-7] shutdown
  inject(f);
  visitors_.leave();
}

// The inject queue for callers that must not allocate, or get no memory: the monitor [MON-3], a
// holder of the idle lock, and pushes that found no room [LOST-1].
void scheduler::push_no_alloc(fiber_record& f) noexcept {
  push_without_memory(no_alloc_list_, f);
  injected_size_.fetch_add(1, std::memory_order_seq_cst);  // [IDLE-1]
}

void run_queue::push_elsewhere(fiber_record& f) noexcept { f.home->push_no_alloc(f); }

bool scheduler::work_in_sight() noexcept {
  if (injected_size_.load(std::memory_order_seq_cst) > 0) return true;
  if (sleepers_.frozen() > 0) return true;
  for (const auto& p : processors())
    if (p->stealable() > 0) return true;
  return false;
}

std::int64_t scheduler::earliest_timer() const noexcept {
  std::int64_t earliest = timer_queue::never;
  for (const auto& p : processors()) earliest = std::min(earliest, p->timers.earliest());
  return earliest;
}

bool scheduler::retire(worker& w) noexcept {
  w.held->count_steps();
  w.held->measure_steps(os::now_ns());
  const timer_queue& timers = w.held->timers;
  sleepers_.lie_down(w);
  sleepers_.tell_poller(timers.earliest());  // [TIMER-1] of the timers I leave behind
  if (w.own_fiber != nullptr) {
    if (work_in_sight()) wake_one_if_needed();  // [OWN-3] not for us
  } else if (work_in_sight()) {
    if (sleepers_.rise(w)) return true;
    sleepers_.tell_poller(earliest_timer());  // [TIMER-1]
  }
  return sleep(w);
}

// Until a processor is assigned, or the poller brings work and there is an idle one. False: the
// threads end.
bool scheduler::sleep(worker& w) noexcept {
  using place = sleepers::place;
  bool expires = true;
  std::int64_t pause_ns = 0;
  for (;;) {
    if (const std::uint32_t n = sleepers_.tidy_requests(); n != w.tidied) [[unlikely]] {
      w.tidied = n;
      w.stacks.flush();
      w.records.flush();
    }
    // goes to the inject queue, which may ask for memory: not under the lock [PREEMPT-3]
    fiber_record* left = nullptr;
    const place in = sleepers_.find_place(w, left, pause_ns > 0 ? counts_.serving() : 0,
                                          [this] { return work_in_sight(); });
    if (in == place::none) return true;
    if (in == place::ended) return false;
    while (left != nullptr) {  // the worker that finds it there hands us a processor
      fiber_record* next = left->link;
      inject(*left);
      left = next;
    }
    trace::emit(trace::event::worker_sleep, 0, in == place::poller);
    w.counters.sleeps.add();
    if (in == place::poller) {
      if (sleep_in_poller(w)) return true;
      pause_ns = w.poll_pause_ns;
      continue;
    }
    if (pause_ns > 0 && in == place::list) {
      static_cast<void>(w.parker.park_until(std::min(os::now_ns() + pause_ns, earliest_timer())));
      pause_ns = 0;
      trace::emit(trace::event::worker_awake, 0);
      continue;
    }
    if (!expires || in == place::reserved || w.own_fiber != nullptr) {
      w.parker.park();  // [WAKE-1] wake
    } else if (!w.parker.park_until(os::now_ns() +
                                    idle_thread_ns_.load(std::memory_order_relaxed))) {
      if (sleepers_.may_end(w, counts_.serving())) return false;
      expires = false;  // once: a sleeper that is wanted costs nothing
    }
    trace::emit(trace::event::worker_awake, 0);
  }
}

scheduler::poll_end scheduler::poll(std::int64_t until, poll_source::batch& ready,
                                    poll_counters& counters) noexcept {
  const std::size_t before = ready.size();
  const bool in_vain = poller_->poll(until, ready);
  const std::int64_t now = os::now_ns();
  polled_at_.store(now, std::memory_order_relaxed);
  counters.polls.add();
  counters.poll_events.add(ready.size() - before);
  return {now, in_vain};
}

bool scheduler::sleep_in_poller(worker& w) noexcept {
  // With every processor busy, timers are not ours to look at: a worker that retires interrupts us.
  const std::int64_t until = sleepers_.begin_poll([this] { return earliest_timer(); });
  const auto [now, in_vain] = poll(until <= 0 ? 1 : until, w.ready, w.counters);
  sleepers_.end_poll();
  constexpr std::int64_t first_pause_ns = 100'000, longest_pause_ns = 1'000'000;
  w.poll_pause_ns = in_vain ? std::clamp(2 * w.poll_pause_ns, first_pause_ns, longest_pause_ns) : 0;

  const bool due = earliest_timer() <= now;
  const bool claimed = sleepers_.leave_poller(w, due || !w.ready.empty());
  trace::emit(trace::event::worker_awake, 0);
  trace::emit_at_once(trace::event::poll, 0, w.ready.size());
  if (!claimed) {
    take_ready(&w, w.ready, [this](fiber_record& f) { inject(f); });
    return false;
  }
  std::size_t n = take_ready(&w, w.ready, [&w](fiber_record& f) {
    prefetch_pages(f);
    w.held->push_ready(&f);
  });
  if (due)
    for (const auto& p : processors()) n += fire_timers(w, *p);
  if (n > w.held->soon_served() && !w.searching) wake_one_if_needed();
  return true;
}

// A fiber parks on a thread that has no processor, and so no heap. Any will do: a busy one is
// looked after by its holder and the monitor, an idle one by the sleeper in the poller, which must
// know [TIMER-1].
timer_queue& scheduler::timers_for_outside() noexcept { return processors_.front()->timers; }
void scheduler::tell_of_timer(std::int64_t when) noexcept {
  sleepers_.tell_poller(when);  // [TIMER-1] sleep_in_poller
  monitor_word_.wake();
}

}  // namespace weft::detail
