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

struct channel_lock_env : base::real_sync {
  // A holder is done within 50 ns unless it lost its CPU, and whoever spins far from the lock lets it do several steps
  // in a row on a warm line.
  static constexpr int rounds = 40, pauses = 8;
  static void sleep(std::atomic<std::uint32_t>& word, std::uint32_t while_it_is) noexcept {
    os::futex_wait(word, while_it_is);
  }
  static void wake_one(std::atomic<std::uint32_t>& word) noexcept { os::futex_wake(word, 1); }
};

template <class Env = channel_lock_env>
class basic_channel_lock {
 public:
  constexpr basic_channel_lock() noexcept = default;
  basic_channel_lock(const basic_channel_lock&) = delete;
  basic_channel_lock& operator=(const basic_channel_lock&) = delete;

  void lock() {
    if (!try_lock()) [[unlikely]]
      lock_slow();
  }
  void unlock() {
    word_.store(0, std::memory_order_release);  // [LOCK-1] try_lock
    Env::light_fence();                         // [LOCK-2] lock_slow
    // relaxed: the fence orders
    if (sleepers_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      Env::wake_one(word_);
  }

 private:
  bool try_lock() {
    std::uint32_t free = 0;
    return word_.compare_exchange_strong(free, 1, std::memory_order_acquire,  // [LOCK-1] unlock
                                         std::memory_order_relaxed);
  }
  [[gnu::noinline]] void lock_slow() {
    for (int i = 0; i < Env::rounds; ++i) {
      for (int k = 0; k < Env::pauses; ++k) Env::pause();
      // relaxed: only a hint; try_lock decides
      if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) return;
    }
    sleepers_.fetch_add(1, std::memory_order_relaxed);
    Env::heavy_fence();  // [LOCK-2] light_fence in unlock
    while (!try_lock()) Env::sleep(word_, 1);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }

  typename Env::template atomic<std::uint32_t> word_{0};      // 1: held
  typename Env::template atomic<std::uint32_t> sleepers_{0};  // those who sleep, or are about to
};

struct alignas(base::cache_line) channel_lock : basic_channel_lock<> {};

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
