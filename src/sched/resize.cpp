// SPDX-License-Identifier: BSL-1.0
// sched/resize.cpp - as many processors serve as the machine grants CPUs now: affinity and cgroup
// quota change.
//
//   service thread  1 asks the system, about once a second while anything runs. To have fewer, it
//                     notes the surplus [RESIZE-1]
//                   2 makes idle processors inactive itself
//   worker          3 claims a part of the surplus at its next turn in the scheduler's own loop; a
//                     fiber that does not come back is preempted or retaken from, as if others
//                     waited
//                   4 drains its processor: fibers to the inject queue, deadlines to the first
//                     processor, which never becomes inactive
//                   5 makes it inactive: held by no thread, not counted idle, in the list of the
//                     inactive; the thread becomes a spare
//   service thread  6 to have more, it takes back the surplus that was not claimed; then an
//                     inactive processor, or a new one, becomes an idle one, with a sleeper to be
//                     woken for it [RESIZE-3]
//
// Fibers do not notice. Bound ones need their thread, not its processor; the worker that finds one
// hands it a processor. This happens only if options::workers was left at 0, and not while the
// runtime is idle: the monitor sleeps then.
// Rejected: throttled threads left to the kernel (a quota of two CPUs under eight workers stops all
// eight for most of each period, holders of locks among them); ending threads (a spare costs
// nothing asleep).
#include <algorithm>
#include <mutex>

#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

namespace weft::detail {

// By the monitor, in every round; the work is the service thread's, for it may allocate [MON-3].
void scheduler::watch_cpus(std::int64_t now) noexcept {
  if (options_.workers != 0) return;  // the user's word
  const bool due = now - cpus_read_ns_ >= cpus_every_ns_.load(std::memory_order_relaxed);
  if (due) {
    cpus_read_ns_ = now;
    cpus_due_.store(true, std::memory_order_relaxed);
  }
  if (due || (counts_.surplus() > 0 && idle_.idle() > 0)) wake_service_thread();
}

// By the service thread.
void scheduler::resize() noexcept {
  // [SERVICE-3] may_sleep, which then sees us busy
  if (cpus_due_.exchange(false, std::memory_order_acq_rel)) {
    const auto most = static_cast<std::uint32_t>(processors_.size());
    const std::uint32_t granted = std::clamp(os::usable_cpus(), 1U, most);
    const std::uint32_t wanted = counts_.wanted();
    if (granted < wanted) {
      counts_.shrink(wanted - granted);
    } else if (granted > wanted) {
      std::uint32_t more = granted - wanted;
      more -= counts_.withdraw(more);
      while (more > 0 && activate_one_more()) --more;
    }
  }
  while (counts_.surplus() > 0 && deactivate_idle()) continue;
}

// An idle processor needs no drain but for its deadlines. IDLE-1: it is uncounted by a claim, as if
// it had been woken; a submitter that finds no idle processor now finds every other holder busy,
// and each looks before it retires.
bool scheduler::deactivate_idle() noexcept {
  processor* p = nullptr;
  {
    const std::lock_guard guard(idle_lock_);
    const auto it = std::find_if(idle_processors_.begin(), idle_processors_.end(),
                                 [](const processor* q) { return q->index != 0; });
    if (it == idle_processors_.end() || !counts_.try_claim()) return false;
    if (!idle_.try_claim_idle()) {  // all of them have been promised to sleepers
      counts_.undo_claim();
      return false;
    }
    p = *it;
    *it = idle_processors_.back();
    idle_processors_.pop_back();
    inactive_.push_back(p);
  }
  move_timers(*p);
  trace::emit(trace::event::processor_deactivate, 0, p->index);
  return true;
}

// Inside weft, on the worker's own stack. True: its processor becomes inactive, and it has none.
bool scheduler::rest(worker& w) noexcept {
  processor& p = *w.held;
  if (p.index == 0 || !counts_.try_claim()) return false;
  if (fiber_record* f = std::exchange(p.set_aside, nullptr)) inject(*f);
  p.share();
  while (fiber_record* f = p.ready.take()) inject(*f);
  while (fiber_record* f = p.local.take()) inject(*f);
  p.share();     // the hints
  p.order = {};  // the next look at the inject queue looks at the frozen ones, too
  move_timers(p);
  while (!w.gate.detach(&p)) static_cast<void>(w.gate.await_taker());
  w.held = nullptr;
  p.holder.store(nullptr, std::memory_order_relaxed);
  {
    const std::lock_guard guard(idle_lock_);
    inactive_.push_back(&p);
  }
  trace::emit(trace::event::processor_deactivate, 0, p.index);
  if (std::exchange(w.searching, false)) static_cast<void>(idle_.end_search());
  // We leave as a retirer does, only that no processor stays behind. What was published while we
  // counted as searching is seen by the look in `sleep`, which takes an idle processor for it; if
  // there is none, the busy ones look before they retire.
  base::real_sync::heavy_fence();  // [IDLE-1] light_fence in must_wake
  return true;
}

// To the first processor, held or not. Its holder and the monitor look at its heap; so does the
// sleeper in the poller, which must know [TIMER-1].
void scheduler::move_timers(processor& from) noexcept {
  timer_queue& to = processors_.front()->timers;
  const std::int64_t earliest = from.timers.earliest();
  if (earliest == timer_queue::never) return;
  from.timers.move_to(to);
  // [TIMER-1] sleep_in_poller
  const std::int64_t until = poll_until_.load(std::memory_order_seq_cst);
  if (until != INT64_MIN && earliest < until) poller_->interrupt();
}

// [RESIZE-3] There are at least as many sleepers as idle processors: a wake-up would find none for
// this one else, and it would stand idle beside work. So the sleeper comes first; without one
// nothing changes until the next time.
bool scheduler::activate_one_more() noexcept {
  std::size_t sleepers = 0, idle;
  {
    const std::lock_guard guard(idle_lock_);
    for ([[maybe_unused]] worker& s : parked_) ++sleepers;
    if (wakeable_in_poller()) ++sleepers;
    idle = idle_processors_.size();
  }
  if (sleepers <= idle) {
    worker* s = make_spare();
    if (s == nullptr) return false;
    release_spare(*s);
  }
  processor* p = nullptr;
  {
    const std::lock_guard guard(idle_lock_);
    if (!inactive_.empty()) {
      p = inactive_.back();
      inactive_.pop_back();
    }
  }
  // A claimer may be on its way to the inactive ones: then its processor is the one to take, next
  // time.
  if (p == nullptr && processor_count() == counts_.serving()) p = make_processor();
  if (p == nullptr) return false;
  {
    const std::lock_guard guard(idle_lock_);
    idle_processors_.push_back(p);
    counts_.grow();
  }
  trace::emit(trace::event::processor_serve, 0, p->index);
  idle_.retire(false);  // [IDLE-1] counts it, and fences
  if (work_in_sight()) wake_one_if_needed();
  return true;
}

}  // namespace weft::detail
