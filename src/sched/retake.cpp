// SPDX-License-Identifier: BSL-1.0
// sched/retake.cpp - the processor of a worker that is blocked in the kernel goes to a spare one.
//
//   monitor   1 a spare: a parked worker                      2 take the gate [LEASE-1]: the worker
//             is in user code 3 keep it: the worker is detached from now on    4 the spare wakes
//             with the processor there is no spare, and can be none: the oldest frozen thread,
//             which needs no new one [PREEMPT-3]
//   worker    goes on in the kernel, knows nothing; at its next entry it finds no processor
//             (enter_slow): an idle one will do, else its fiber queues up and the thread becomes a
//             spare
// No signal is involved, so the user's call sees no EINTR. The fiber never changes threads while it
// is inside.
// Rejected: retaking from a thread that is runnable but not running (the kernel preempted it; it
// will be back).
#include <algorithm>
#include <mutex>
#include <system_error>

#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

namespace weft::detail {

// A sleeping worker that no other waker will take. Null if there is none: one is being made
// (service_thread.cpp), if options::max_threads and the system allow it, and the next round tries
// again.
worker* scheduler::reserve_spare() noexcept {
  {
    const std::lock_guard guard(idle_lock_);
    if (worker* s = parked_.pop_back()) {  // the last to fall asleep: the others may end

      s->reserved = true;
      return s;
    }
  }
  take_made_spares();
  if (!prepared_.empty()) {
    worker* s = prepared_.back();
    prepared_.pop_back();
    return s;
  }
  if (ask_for_spares(1)) return nullptr;
  // None is to be had. The sleeper in the poller leaves its role for it; until another takes it up
  // the monitor polls [SLEEP-2].
  worker* s = nullptr;
  {
    const std::lock_guard guard(idle_lock_);
    if (!wakeable_in_poller()) return nullptr;
    s = in_poller_;
    s->reserved = true;
  }
  poller_->interrupt();
  return s;
}

// A new thread, reserved for the caller: the service thread, and workers in handoff_processor.
worker* scheduler::make_spare() noexcept {
  const std::lock_guard guard(spare_lock_);
  if (threads_end_.load(std::memory_order_relaxed)) return nullptr;  // written under this lock
  worker* s = unstarted_ != nullptr ? std::exchange(unstarted_, nullptr) : make_worker();
  if (s == nullptr) {
    // no memory
    if (worker_count_.load(std::memory_order_relaxed) < workers_.size()) return nullptr;
    if (!std::exchange(thread_limit_reported_, true)) try {
        os::write_stderr("weft: runtime \"" + options_.name + "\" has " +
                         std::to_string(options_.max_threads) +
                         " threads, which is options::max_threads, and all are blocked or "
                         "preempted; fibers wait until one "
                         "comes back. Raise the option, or use weft::offload for blocking calls\n");
      } catch (const std::bad_alloc&) {
        thread_limit_reported_ = false;
      }
    return nullptr;
  }
  s->reserved = true;
  try {
    const os::block_signals blocked;
    start_thread(*s);
  } catch (...) {    // the system has no thread, or no memory for one
    unstarted_ = s;  // readers may be looking at it: it stays where it is
    return nullptr;
  }
  // A thread that comes up allocates, and may have to wait for a frozen one to do so [PREEMPT-3].
  // If it had a processor by then, that would be neither idle nor in use. worker_main
  while (s->started.load(std::memory_order_acquire) == 0) os::futex_wait(s->started, 0);
  return s;
}

// Threads take 100 us to be made and to come up: not between a block and its retake, then.
void scheduler::prepare_spares(std::size_t wanted) noexcept {
  {
    const std::lock_guard guard(idle_lock_);
    if (!parked_.empty()) return;
  }
  take_made_spares();
  wanted = std::min(wanted, processor_count());
  // The last ones are not made in advance: at the limit, the one that needs one gets it.
  if (prepared_.size() < wanted &&
      threads_running_.load(std::memory_order_relaxed) + processor_count() < options_.max_threads)
    static_cast<void>(ask_for_spares(wanted - prepared_.size()));
}

void scheduler::release_prepared() noexcept {
  take_made_spares();
  for (worker* s : prepared_) release_spare(*s);
  prepared_.clear();
}

void scheduler::release_spare(worker& s) noexcept {
  const std::lock_guard guard(idle_lock_);
  s.reserved = false;
  if (s.frozen) {  // in its handler; it is still the oldest
    frozen_.push_front(s);
    frozen_count_.fetch_add(1, std::memory_order_release);
    return;
  }
  if (in_poller_ == &s) return;  // on its way out: it finds its place by itself
  if (s.linked()) return;
  parked_.push_back(s);
  // What could not reach it while it was reserved: bound fibers, the poller's role.
  if (s.bound_queue != nullptr || in_poller_ == nullptr) kick(s);
}

bool scheduler::retake(processor& p, worker& w) noexcept {
  worker* s = reserve_spare();
  if (s == nullptr) {
    p.seen.read_again = spares_asked_.load(std::memory_order_relaxed) > 0;
    if (p.seen.read_again || (s = reserve_frozen()) == nullptr) return false;
  }
  if (!w.gate.try_take(&p)) {  // it has come back
    release_spare(*s);
    return false;
  }
  begin_detached(w, p.seen.since_ns);
  p.order.thaw_first = frozen_count_.load(std::memory_order_relaxed) > 0;
  p.holder.store(nullptr, std::memory_order_relaxed);
  w.gate.keep();
  if (!s->frozen) idle_.begin_search_for_sleeper();
  s->assigned.store(&p, std::memory_order_release);  // [WAKE-1] take_assigned
  retakes_.fetch_add(1, std::memory_order_relaxed);  // before the effects can be seen
  kick(*s);
  trace::emit(trace::event::retake, 0, w.index, s->index);
  return true;
}

}  // namespace weft::detail
