// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/sync_policy.hpp - the seam between lock-free algorithms and what runs them.
// Algorithms are templates over `class Sync`: real_sync in the library, an explorer in test/model.
//
// An asymmetric pair: the frequent side calls light_fence(), the rare side heavy_fence(), and
// together they order as two seq_cst fences would. Heavy is membarrier(2), light then only a
// compiler barrier.
//   SYNC-1  light may be weak only if every heavy is a membarrier. `light_fence_is_weak` turns
//   true after registration succeeded and never turns back; heavy_fence() registers before it
//   decides, so a heavy side without membarrier proves that no light side ever was or will be weak.
//   If membarrier is refused later, the process ends (os::membarrier). Falling back to full fences
//   would need the flag turned back, and a barrier in every thread after its last read of the old
//   flag: the very thing that was refused. Nothing else guarantees it: TLB shoot-downs need not
//   interrupt a thread, and waiting for a turn on every CPU may take as long as another thread
//   holds one.
// The branch on that flag is lost in the noise (both 0.3-0.6 ns in a loop; a real fence
// there 13.7).
//
// ThreadSanitizer does not model stand-alone fences, so under it every fence here is a seq_cst
// read-modify-write of one process-wide word: stronger than a fence, and an order that it sees.
// Rejected: a build option for the flag (a binary must run on kernels and in sandboxes without it).

#include <atomic>

#include "base/sanitizers.hpp"
#include "os/os.hpp"

namespace weft::base {

#if WEFT_TSAN
inline constinit std::atomic<unsigned> tsan_fence_word{0};
#endif

struct real_sync {
  template <class T>
  using atomic = std::atomic<T>;

  static void fence(std::memory_order order) noexcept {
#if WEFT_TSAN
    static_cast<void>(order);
    tsan_fence_word.fetch_add(1, std::memory_order_seq_cst);  // pairs with every other fence here
#else
    std::atomic_thread_fence(order);
#endif
  }

  static void light_fence() noexcept {
    // relaxed: an old `false` only costs a needless full fence [SYNC-1].
    if (WEFT_TSAN || !os::light_fence_is_weak.load(std::memory_order_relaxed)) [[unlikely]] {
      fence(std::memory_order_seq_cst);
    }
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

  static void heavy_fence() noexcept {
    if (!WEFT_TSAN && os::membarrier_register()) {  // [SYNC-1]
      os::membarrier();
    } else {
      fence(std::memory_order_seq_cst);
    }
  }

  static void pause() noexcept { os::cpu_relax(); }

  static void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
    os::futex_wait(word, expected);
  }
  static bool futex_wait_until(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                               std::int64_t ns) noexcept {
    return os::futex_wait_until(
        word, expected, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns)));
  }
  static void futex_wake(const std::atomic<std::uint32_t>& word, int count) noexcept {
    os::futex_wake(word, count);
  }
};

}  // namespace weft::base
