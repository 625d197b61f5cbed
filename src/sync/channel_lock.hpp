// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/channel_lock.hpp - a lock that a plain store unlocks.
//
//   lock:    0 -> 1 by CAS; else stand back and try again; else
//            1 ++sleepers   2 heavy fence [LOCK-2]   3 CAS, or sleep on 1
//   unlock:  1 store 0   2 light fence [LOCK-2]   3 if there are sleepers, wake one
//
// A channel's section lasts as long as two locked instructions; this saves one of them (measured: a
// quarter of a round trip). The membarrier is paid by the agent that is about to sleep, which costs
// more anyway. A second agent stands back for 50 ns, which is a section. If that happens again and
// again, the lock and all it guards move from core to core, at ten times the price of the section
// itself. So each time an agent has to wait within two microseconds of the wait before, it stands
// back twice as long, up to 8 us: the other one does hundreds of steps in a row on warm lines. 4
// producers and 4 consumers on two workers: 177 ns an item without this, 31 with it (up to 4 us:
// 35; up to 16 us: 31).
// Rejected: base::futex_lock (an exchange per unlock); a spin lock (a thread that lost its CPU
// makes the others burn theirs: plain threads use channels, too); always standing back for long
// (two that meet once in a while would pay).

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/cache_line.hpp"
#include "base/lock_rank.hpp"
#include "base/sync_policy.hpp"
#include "base/thread_safety.hpp"
#include "os/os.hpp"

namespace weft::detail {

struct channel_lock_env : base::real_sync {
  static constexpr std::int64_t shortest_ns = 50, longest_ns = 8'000;
  // since the last wait: this is no coincidence
  static constexpr std::int64_t hot_ns = 2'000;
  static constexpr std::int64_t patience_ns = 50'000;  // then the holder has lost its CPU: sleep
  static constexpr int tries = 32;                     // in a row, at the end of a time
  static std::int64_t now() noexcept { return os::now_ns(); }
  static void stand_back(std::int64_t from, std::int64_t ns) noexcept {
    do {
      for (int i = 0; i < 4; ++i) pause();
    } while (ns > shortest_ns && now() - from < ns);
  }
  static void sleep(std::atomic<std::uint32_t>& word, std::uint32_t while_it_is) noexcept {
    os::futex_wait(word, while_it_is);
  }
  static void wake_one(std::atomic<std::uint32_t>& word) noexcept { os::futex_wake(word, 1); }
};

template <class Env = channel_lock_env>
class WEFT_CAPABILITY("lock") basic_channel_lock {
 public:
  constexpr basic_channel_lock() noexcept = default;
  basic_channel_lock(const basic_channel_lock&) = delete;
  basic_channel_lock& operator=(const basic_channel_lock&) = delete;

  void lock() WEFT_ACQUIRE() {
    if (!try_lock()) [[unlikely]]
      lock_slow();
  }
  void unlock() WEFT_RELEASE() {
    word_.store(0, std::memory_order_release);  // [LOCK-1] try_lock
    Env::light_fence();                         // [LOCK-2] lock_slow
    // relaxed: the fence orders
    if (sleepers_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      Env::wake_one(word_);
  }

 private:
  bool try_lock() WEFT_TRY_ACQUIRE(true) {
    std::uint32_t free = 0;
    return word_.compare_exchange_strong(free, 1, std::memory_order_acquire,  // [LOCK-1] unlock
                                         std::memory_order_relaxed);
  }
  [[gnu::noinline]] void lock_slow() WEFT_ACQUIRE() {
    const std::int64_t began = Env::now();
    // relaxed, here and below: hints; try_lock decides
    const bool hot = began - waited_at_.load(std::memory_order_relaxed) < Env::hot_ns;
    const std::int64_t apart =
        hot ? std::min(2 * apart_.load(std::memory_order_relaxed), Env::longest_ns)
            : Env::shortest_ns;
    for (std::int64_t now = began; now - began < Env::patience_ns; now = Env::now()) {
      Env::stand_back(now, apart);
      for (int i = 0; i < Env::tries; ++i) {
        if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) {
          apart_.store(apart, std::memory_order_relaxed);
          waited_at_.store(Env::now(), std::memory_order_relaxed);
          return;
        }
        Env::pause();
      }
    }
    sleepers_.fetch_add(1, std::memory_order_relaxed);
    Env::heavy_fence();  // [LOCK-2] light_fence in unlock
    while (!try_lock()) Env::sleep(word_, 1);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }

  typename Env::template atomic<std::uint32_t> word_{0};      // 1: held
  typename Env::template atomic<std::uint32_t> sleepers_{0};  // agents that sleep, or are about to
  // Written with the lock held, by an agent that had to wait.
  std::atomic<std::int64_t> waited_at_{0};
  std::atomic<std::int64_t> apart_{Env::shortest_ns};  // how long it stood back
};

/// The rank of a set of channel locks, taken in the order of their addresses; checked in debug
/// builds.
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
