// SPDX-License-Identifier: BSL-1.0
// sched/handoff_processor.cpp - a worker that is about to block gives its processor away.
//
//   1 a sleeper: parked, or in the poller; made if there is none, before anything is given up
//   2 detach the processor [LEASE-1]: inside weft, so only a taker can be in the way; await_taker,
//     again
//   3 under the idle lock, where sleepers change their minds: assign it, wake
//   4 leave: detached from here on
//
// The way back is that of a retaken worker (enter_slow): it takes an idle processor, or queues up.
// The sleeper is woken even if nothing waits: a worker must look after the timers and the poller,
// and by the time we know that none does, the call has been made. It retires by itself, and we take
// the processor back from the idle ones.
// Rejected: a counter of free threads (two truths); leaving it all to the monitor (0.1 ms in which
// the others stand).
#include <mutex>

#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

namespace weft::detail {

bool scheduler::handoff_processor(worker& w) noexcept {
  worker* made = nullptr;
  for (;;) {
    bool in_poller = false;
    worker* s = nullptr;
    processor* p = nullptr;
    {
      const std::lock_guard guard(idle_lock_);
      if (!parked_.empty()) {
        s = parked_.pop_back();
      } else if (made != nullptr) {
        s = std::exchange(made, nullptr);
      } else if (wakeable_in_poller()) {
        s = in_poller_;
        in_poller = true;
      }
      if (s != nullptr) {
        p = w.held;
        while (!w.gate.detach(p)) static_cast<void>(w.gate.await_taker());
        w.held = nullptr;
        p->holder.store(nullptr, std::memory_order_relaxed);
        p->order.thaw_first = frozen_count_.load(std::memory_order_relaxed) > 0;
        idle_.begin_search_for_sleeper();
        s->assigned.store(p, std::memory_order_release);  // [WAKE-1] take_assigned
      }
    }
    if (s == nullptr) {
      made = make_spare();
      if (made == nullptr) {
        leave(w);
        return false;
      }
      continue;
    }
    if (made != nullptr) release_spare(*made);
    trace::emit(trace::event::handoff_processor, 0, s->index);
    if (in_poller)
      poller_->interrupt();
    else
      kick(*s);
    leave(w);
    return true;
  }
}

}  // namespace weft::detail
