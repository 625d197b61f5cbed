// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/retaker.hpp - the processor of a worker that is blocked in the kernel goes to a spare one.
//
//   monitor   1 a spare: a parked worker   2 take the gate [LEASE-1]: the worker is in user code
//             3 keep it: the worker is detached from now on   4 the spare wakes with the processor
//             If there is no spare, and can be none: the oldest frozen thread, which needs no new
//             one [PREEMPT-3]
//   worker    goes on in the kernel, knows nothing; at its next entry it finds no processor
//             (enter_slow): an idle one will do, else its fiber queues up and the thread becomes a
//             spare; or the thread waits for one together with its fiber, frozen (CB-1)
// No signal is involved, so the user's call sees no EINTR. The fiber never changes threads while it
// is inside.
// Rejected: retaking from a thread that is runnable but not running (the kernel preempted it; it
// will be back).

#include <atomic>
#include <cstdint>

#include "sched/scheduler.hpp"
#include "watch/spares.hpp"
#include "watch/stalls.hpp"

namespace weft::detail {

class retaker {
 public:
  retaker(scheduler& s, spares& spare, stalls& stall) noexcept
      : s_(s), spares_(spare), stalls_(stall) {}
  /// By the monitor. False: nothing has happened.
  bool retake(processor& p, worker& w) noexcept;
  [[nodiscard]] std::uint64_t count() const noexcept {
    return count_.load(std::memory_order_relaxed);
  }

 private:
  scheduler& s_;
  spares& spares_;
  stalls& stalls_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace weft::detail
