// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/counter.hpp - a number that one thread counts up and all threads may read: a load and a
// store, no locked instruction.

#include <atomic>
#include <cstdint>

namespace weft::base {

class counter {
 public:
  /// The owner. Returns what it is now.
  std::uint64_t add(std::uint64_t n = 1) noexcept {
    const std::uint64_t now = value_.load(std::memory_order_relaxed) + n;
    value_.store(now, std::memory_order_relaxed);
    return now;
  }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};  // relaxed: a number, it carries nothing
};

}  // namespace weft::base
