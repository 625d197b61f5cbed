// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/monitor_word.hpp - what the monitor sleeps on while every processor is idle.
//
//   monitor            1 asleep = 1   2 heavy fence [MON-1]   3 looks again: all idle, no end?
//                      4 sleeps on the word
//   makes a processor  1 does so (idle_state, or a deadline, or the end)   2 light fence [MON-1]
//   busy               3 wakes the monitor if it is asleep
//   MON-1  the monitor does not sleep while a processor is busy: it sees that in step 3, or is
//          found asleep.

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

template <class Sync = base::real_sync>
class basic_monitor_word {
 public:
  /// By the side that has made a processor busy, has a timer that the monitor does not know, or
  /// ends it.
  void wake() noexcept {
    Sync::light_fence();  // [MON-1] begin_sleep
    if (asleep_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      wake_slow();
  }

  // ---- the monitor
  /// It looks again afterwards.
  void begin_sleep() noexcept {
    asleep_.store(1, std::memory_order_relaxed);
    Sync::heavy_fence();  // [MON-1] wake
  }
  [[nodiscard]] bool is_asleep() const noexcept {
    return asleep_.load(std::memory_order_relaxed) != 0;
  }
  /// `sleep(word, 1)` as futex_wait; what that returns.
  template <class Sleep>
  auto sleep(Sleep&& sleep) noexcept {
    return sleep(asleep_, 1U);
  }
  void end_sleep() noexcept { asleep_.store(0, std::memory_order_relaxed); }

 private:
  // relaxed: what the monitor is woken for it looks at by other words.
  [[gnu::noinline]] void wake_slow() noexcept {
    if (asleep_.exchange(0, std::memory_order_relaxed) != 0) Sync::futex_wake(asleep_, 1);
  }

  typename Sync::template atomic<std::uint32_t> asleep_{0};  // futex
};
using monitor_word = basic_monitor_word<>;

}  // namespace weft::detail
