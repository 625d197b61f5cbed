// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/thawer.hpp - the monitor's half of thawing (sched/thaw.cpp has the worker's): somebody may
// wait for what a frozen thread holds.
//
//   reserve_frozen  a blocked or computing worker's processor, and no thread is to be had for it:
//                   the first in line needs no new one (retaker, preempter)
//   thaw_detached   no processor can be given: the waiter waits inside weft, or keeps its processor
//                   by options::retake. The first in line continues without one, as after a retake,
//                   until it enters weft
//   the end         of a runtime with stragglers: all continue (end_threads)
//
// The proof that one of these, or a worker's thaw, comes is PREEMPT-3.

#include <cstdint>

#include "base/counter.hpp"
#include "sched/scheduler.hpp"
#include "watch/preempter.hpp"
#include "watch/retaker.hpp"

namespace weft::detail {

class thawer {
 public:
  thawer(scheduler& s, preempter& preempt, retaker& retake) noexcept
      : s_(s), preempter_(preempt), retaker_(retake) {}

  [[nodiscard]] bool any_frozen() const noexcept {
    return s_.sleeping().frozen_hint() > 0 || preempter_.any_standing_by();
  }
  bool thaw_detached() noexcept;
  /// Its clock stands still; for how long, it has told.
  [[nodiscard]] os::thread_activity activity_of(const worker& w, std::int64_t still_ns) noexcept;
  [[nodiscard]] bool stuck_inside(processor& p, worker& w, std::int64_t now) noexcept;
  /// Asleep in user code.
  bool unblock(processor& p, worker& w, std::int64_t now) noexcept;
  [[nodiscard]] std::uint64_t blind_looks() const noexcept { return blind_looks_.get(); }

 private:
  scheduler& s_;
  preempter& preempter_;
  retaker& retaker_;
  base::counter blind_looks_;
};

}  // namespace weft::detail
