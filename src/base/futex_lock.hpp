// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/futex_lock.hpp - the four-byte lock weft uses inside itself, for sections of nanoseconds.
//   lock:    0 -> 1 by CAS; else spin a little; else exchange to 2 and sleep until that returned 0
//   unlock:  exchange to 0; if it was 2, wake one
// LOCK-1  a critical section sees what the ones before it wrote: unlock's exchange is a release,
//         every way to take the lock an acquire.
// (Drepper, "Futexes are tricky", the second mutex.) It blocks the thread, never parks the fiber:
// do not hold one across anything that can park. Guards: base/lock_guard.hpp, included here.
// Rejected: std::mutex (40 bytes), a pure spin lock (a preempted holder would make all others burn
// a slice).

#include <atomic>
#include <cstdint>

#include <weft/detail/export.hpp>

#include "base/lock_guard.hpp"
#include "base/lock_rank.hpp"
#include "base/thread_safety.hpp"

namespace weft::base {

/// Untyped part: compiled once; futex_lock.cpp has the slow halves.
class futex_word {
 public:
  void lock() noexcept {
    std::uint32_t expected = 0;
    // acquire: pairs with the release in unlock() [LOCK-1].
    if (!word_.compare_exchange_strong(expected, 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) [[unlikely]] {
      lock_slow();
    }
  }
  [[nodiscard]] bool try_lock() noexcept {
    std::uint32_t expected = 0;
    return word_.compare_exchange_strong(expected, 1, std::memory_order_acquire,  // [LOCK-1]
                                         std::memory_order_relaxed);
  }
  void unlock() noexcept {
    // release [LOCK-1]: pairs with the acquire of the thread that changes 0 next.
    if (word_.exchange(0, std::memory_order_release) == 2) [[unlikely]]
      unlock_slow();
  }

 private:
  void lock_slow() noexcept;
  void unlock_slow() noexcept;

  std::atomic<std::uint32_t> word_{0};  // 0 free, 1 held, 2 held and a thread may sleep
};

/// How many of these locks the calling thread holds: while it is not zero the thread must not be
/// frozen (PREEMPT-3), or others would wait inside weft for one that cannot run. Only ever read
/// and written on its own thread; a lock is never held over a switch. volatile: the thread's own
/// signal handler reads it.
#if defined(__GNUC__)
[[gnu::tls_model("initial-exec")]]
#endif
extern constinit thread_local volatile int locks_held;
// Not inline: a function that locks, parks and locks again must not keep the address of the thread
// it came from.
WEFT_API [[gnu::noinline]] void begin_lock_section() noexcept;
WEFT_API [[gnu::noinline]] void end_lock_section() noexcept;

template <lock_rank Rank>
class WEFT_CAPABILITY("lock") ranked_futex_lock {
 public:
  void lock() noexcept WEFT_ACQUIRE() {
    before();
    begin_lock_section();
    word_.lock();
  }
  [[nodiscard]] bool try_lock() noexcept WEFT_TRY_ACQUIRE(true) {
    begin_lock_section();
    if (!word_.try_lock()) {
      end_lock_section();
      return false;
    }
    before();
    return true;
  }
  void unlock() noexcept WEFT_RELEASE() {
    word_.unlock();
    end_lock_section();
#ifndef NDEBUG
    if constexpr (Rank != lock_rank::unranked) lock_rank_release(Rank);
#endif
  }

 private:
  static void before() noexcept {
#ifndef NDEBUG
    if constexpr (Rank != lock_rank::unranked) lock_rank_acquire(Rank);
#endif
  }

  futex_word word_;
};

using futex_lock = ranked_futex_lock<lock_rank::unranked>;
static_assert(sizeof(futex_lock) == 4);

}  // namespace weft::base
