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
// Rejected: a counter of free threads (two truths); leaving it all to the monitor (0.2 to 4 ms in
// which the others stand).
#include "sched/runtime_entry.hpp"

namespace weft::detail {

bool scheduler::handoff_processor(worker& w) noexcept {
  worker* made = nullptr;
  while (!sleepers_.give_away(w, made)) {
    made = threads_.make_spare();
    if (made == nullptr) {
      leave(w);
      return false;
    }
  }
  if (made != nullptr) sleepers_.release(*made);
  leave(w);
  return true;
}

}  // namespace weft::detail
