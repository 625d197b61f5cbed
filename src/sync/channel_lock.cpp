// SPDX-License-Identifier: BSL-1.0
// sync/channel_lock.cpp - the contended half.
#include "sync/channel_lock.hpp"

namespace weft::detail {
namespace {

// A holder is done within 50 ns unless it lost its CPU, and whoever spins far from the lock lets it do several steps in
// a row on a warm line.
constexpr int rounds = 40, pauses = 8;

}  // namespace

void channel_lock::lock_slow() noexcept {
  for (int i = 0; i < rounds; ++i) {
    for (int k = 0; k < pauses; ++k) os::cpu_relax();
    // relaxed: only a hint; try_lock decides
    if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) return;
  }
  sleepers_.fetch_add(1, std::memory_order_relaxed);
  base::real_sync::heavy_fence();  // [LOCK-2] light_fence in unlock
  while (!try_lock()) os::futex_wait(word_, 1);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace weft::detail
