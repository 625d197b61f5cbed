// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/spin_lock.hpp - the lock of a protocol whose lock is not what the model is about.

#include <atomic>

#include "sync.hpp"

namespace weft::model {

class spin_lock {
 public:
  bool try_lock() {
    unsigned free = 0;
    return word_.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  void lock() {
    while (!try_lock()) sync::pause();
  }
  void unlock() { word_.store(0, std::memory_order_release); }

 private:
  atomic<unsigned> word_{0};
};

}  // namespace weft::model
