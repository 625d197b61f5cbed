// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/crash_turn.hpp - several threads may crash at the same moment, and the process ends with the
// first of them that goes on. One of them does what a crash asks for; the others wait for it.

#include <atomic>
#include <chrono>
#include <cstdint>

#include <sys/types.h>

#include "os/os.hpp"

namespace weft::os {

class crash_turn {
 public:
  /// True: the calling thread is the first, and calls end() when it is done. False: another thread
  /// was; its end, or `patience`, has been waited for. False at once in a crash within the turn.
  /// AS-safe, as end().
  [[nodiscard]] bool begin(std::chrono::seconds patience) noexcept {
    pid_t first = 0;
    // relaxed: what the turn reads and writes is ordered by others
    if (first_.compare_exchange_strong(first, thread_id(), std::memory_order_relaxed)) return true;
    if (first == thread_id()) return false;
    const auto until = std::chrono::steady_clock::now() + patience;
    while (ended_.load(std::memory_order_relaxed) == 0)
      if (!futex_wait_until(ended_, 0, until)) break;
    return false;
  }
  void end() noexcept {
    ended_.store(1, std::memory_order_relaxed);
    futex_wake(ended_, wake_all);
  }

 private:
  std::atomic<pid_t> first_{0};
  std::atomic<std::uint32_t> ended_{0};  // futex
};

}  // namespace weft::os
