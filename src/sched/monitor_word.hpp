// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/monitor_word.hpp - what the monitor sleeps on while every processor is idle [MON-1].

#include <atomic>
#include <cstdint>

namespace weft::detail {

struct monitor_word {
  std::atomic<std::uint32_t> asleep{0};  // futex: 1 = asleep until a processor is busy

  /// Called by the side that makes a processor busy, or has a timer that the monitor does not know.
  void wake() noexcept {
    // relaxed: read late, it costs the monitor a round, and it looks again before it sleeps
    // [MON-1].
    if (asleep.load(std::memory_order_relaxed) != 0) [[unlikely]]
      wake_slow();
  }

 private:
  void wake_slow() noexcept;  // sleepers.cpp
};

}  // namespace weft::detail
