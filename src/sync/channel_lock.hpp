// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/channel_lock.hpp - a lock that is let go of by a plain store.
//
//   lock:    0 -> 1 by CAS; else spin a little; else  1 ++sleepers   2 heavy fence [LOCK-2]   3 CAS, or sleep on 1
//   unlock:  1 store 0   2 light fence [LOCK-2]   3 sleepers? wake one
// A channel's section lasts as long as two locked instructions; this saves one of them (measured: a quarter of a round
// trip). The membarrier falls on who is about to sleep, which costs more anyway.
// Rejected: base::futex_lock (an exchange per unlock); a spin lock (a thread that lost its CPU makes the others burn
// theirs: plain threads use channels, too).

#include <atomic>
#include <cstdint>

#include "base/cache_line.hpp"
#include "base/lock_rank.hpp"
#include "base/sync_policy.hpp"
#include "os/os.hpp"

namespace weft::detail {

class alignas(base::cache_line) channel_lock {
 public:
  constexpr channel_lock() noexcept = default;
  channel_lock(const channel_lock&) = delete;
  channel_lock& operator=(const channel_lock&) = delete;

  void lock() noexcept {
    if (!try_lock()) [[unlikely]]
      lock_slow();
  }
  void unlock() noexcept {
    word_.store(0, std::memory_order_release);  // [LOCK-1] try_lock
    base::real_sync::light_fence();             // [LOCK-2] lock_slow
    // relaxed: the fence orders
    if (sleepers_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      os::futex_wake(word_, 1);
  }

 private:
  bool try_lock() noexcept {
    std::uint32_t free = 0;
    return word_.compare_exchange_strong(free, 1, std::memory_order_acquire,  // [LOCK-1] unlock
                                         std::memory_order_relaxed);
  }
  void lock_slow() noexcept;

  std::atomic<std::uint32_t> word_{0};      // 1: held
  std::atomic<std::uint32_t> sleepers_{0};  // those who sleep, or are about to
};

/// The rank of a set of channel locks, taken in the order of their addresses; checked in debug builds.
inline void enter_channel_rank() noexcept {
#ifndef NDEBUG
  base::lock_rank_acquire(base::lock_rank::sync_object);
#endif
}
inline void leave_channel_rank() noexcept {
#ifndef NDEBUG
  base::lock_rank_release(base::lock_rank::sync_object);
#endif
}

}  // namespace weft::detail
