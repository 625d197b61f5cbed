// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/visitors.hpp - threads that are no workers of a runtime, inside it for a moment: they wake
// one of its fibers, or have spawned one.
//
//   visitor   1 enter   2 makes a fiber runnable that has not ended   3 wakes a worker   4 leave
//   the end   1 the last fiber has ended   2 wait_for_none   3 the runtime's memory goes
// LIFE-7  a visitor touches no runtime whose memory is gone: it enters while the fiber is in its
//         hands, so before the fiber's end is counted, and the end sees that it is inside. Leaving
//         is its last touch: release, acquire by the wait.
// Rejected: leaving it to the program (a thread that sets an event cannot know when the runtime of
// the fiber that waits for it ends).

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

template <class Sync = base::real_sync>
class basic_visitors {
 public:
  // Relaxed: what makes the fiber runnable releases it. [LIFE-7] wait_for_none
  void enter() noexcept { inside_.fetch_add(1, std::memory_order_relaxed); }
  void leave() noexcept { inside_.fetch_sub(1, std::memory_order_release); }
  /// After the last fiber has ended.
  template <class Pause>
  void wait_for_none(Pause&& pause) noexcept {
    while (inside_.load(std::memory_order_acquire) != 0) pause();  // [LIFE-7] leave
  }

 private:
  typename Sync::template atomic<std::uint32_t> inside_{0};
};

}  // namespace weft::detail
