// SPDX-License-Identifier: BSL-1.0
// sched/own_thread.cpp - a fiber with attributes::own_thread: a thread that runs no other fiber
// until it ends.
//
//   start   the worker that finds the fiber becomes its thread [OWN-1], after it has seen to it
//           that another thread takes its place among the ordinary ones [OWN-2]; made, or left
//           over from such a fiber that has ended
//   waits   the thread lays its processor down, deque and all, wakes somebody for it, and sleeps in
//           a list of its own, where only send_bound finds it
//   goes on the worker that finds the fiber sends it by the bound queue, with a processor
//           (sleepers::send_bound, SLEEP-3)
//   ends    the thread is an ordinary worker again
// Retaken and frozen it is as any other. Its processor's queues are left to others, not run:
// pick_local finds nothing on such a thread, for every step is one that has to check, which only a
// worker's loop does, and this one's does not.
// Rejected: a thread that is shared, but always the same (a neighbour that blocks or computes holds
// the fiber up, and leaves its traces in the thread's state); a thread outside the pool, without a
// processor (more fibers run than there are CPUs).
#include <system_error>

#include "sched/runtime_entry.hpp"

namespace weft::detail {

bool scheduler::run_bound(worker& w, fiber_record& f) noexcept {
  if (f.bound == nullptr)
    give_thread(w, f);
  else if (f.bound != &w)
    sleepers_.send_bound(w, f);
  else
    return true;
  return false;
}

// Runs it, too; nothing of `f` may be touched afterwards.
void scheduler::give_thread(worker& w, fiber_record& f) noexcept {
  if (!sleepers_.replace_by_ended_own()) {
    worker* s = threads_.make_spare();
    if (s == nullptr) {
      std::exception_ptr why;
      try {
        why = std::make_exception_ptr(std::system_error(
            std::make_error_code(std::errc::resource_unavailable_try_again),
            "weft: a fiber with attributes::own_thread found no thread: the runtime has " +
                std::to_string(threads_.made()) + " of options::max_threads, " +
                std::to_string(options_.max_threads) +
                ", or the system gives none (`ulimit -u`, pids cgroup)"));
      } catch (...) {
        why = std::current_exception();
      }
      end_unstarted(w, f, std::move(why));
      return;
    }
    sleepers_.release(*s);
  }
  f.bound = &w;
  w.own_fiber = &f;
  w.held->ask_to_check();  // [OWN-1] as in attach
  run(w, f);
  // No stack for it: it has ended without a step, and w is this thread still.
}

// Its fiber waits, or has given way. With a processor: the bound queue, or away with that.
bool scheduler::wait_for_own(worker& w) noexcept {
  if (w.resched_requested.load(std::memory_order_acquire) != 0)  // [SLEEP-3] send_bound
    if (fiber_record* f = sleepers_.take_bound(w)) {
      if (w.searching) stop_searching(w);
      run(w, *f);
      return true;
    }
  w.held->share();  // [OWN-3]
  return retire(w);
}

}  // namespace weft::detail
