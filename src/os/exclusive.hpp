// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/exclusive.hpp - a lock for what this layer does once, and rarely again.
// Every signal is blocked meanwhile: a holder that is frozen by weft's preempt signal would keep
// the others out until it thaws. Rejected: base::futex_lock, which stands above this layer.

#include <atomic>

#include "os/os.hpp"

namespace weft::os {

/// Keeps other threads out from construction to destruction. Blocks the thread, never the fiber.
class exclusive {
 public:
  explicit exclusive(std::atomic_flag& held) noexcept : held_(held) {
    // acquire: pairs with the release in the destructor of the one before.
    while (held_.test_and_set(std::memory_order_acquire))
      held_.wait(true, std::memory_order_relaxed);
  }
  ~exclusive() {
    held_.clear(std::memory_order_release);  // the constructor of the next one
    held_.notify_one();
  }
  exclusive(const exclusive&) = delete;
  exclusive& operator=(const exclusive&) = delete;

 private:
  const block_signals unfrozen_;  // first to come, last to go
  std::atomic_flag& held_;
};

}  // namespace weft::os
