// SPDX-License-Identifier: BSL-1.0
// base/futex_lock.cpp - the contended halves of futex_lock, and the rank check of debug builds.
// Spin first: weft's sections last tens of nanoseconds and a sleep costs microseconds on both sides
// (a futex wake of another core: 12 us for the waker, 30 us until the sleeper runs). 40 pauses are
// about one microsecond, so a holder that lost its CPU costs a waiter little.

#include "base/futex_lock.hpp"

#include <bit>

#include "base/check.hpp"
#include "os/os.hpp"

namespace weft::base {

constinit thread_local volatile int locks_held = 0;

// The signal fences keep the count around the section, for the handler on the same thread.
void begin_lock_section() noexcept {
  locks_held = locks_held + 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
}
void end_lock_section() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  locks_held = locks_held - 1;
}
namespace {

constexpr int spins = 40;

// Bit r: this thread holds a lock of rank r. Ranks never nest with themselves, so a bit is enough.
thread_local std::uint32_t held_ranks = 0;

constexpr std::uint32_t bit(lock_rank rank) { return 1U << static_cast<unsigned>(rank); }

}  // namespace

void futex_word::lock_slow() noexcept {
  for (int i = 0; i < spins; ++i) {
    os::cpu_relax();
    std::uint32_t seen = word_.load(std::memory_order_relaxed);  // only a hint; the CAS decides
    if (seen == 2) break;  // others sleep already: spinning would overtake them for nothing
    if (seen == 0 && word_.compare_exchange_strong(seen, 1, std::memory_order_acquire,  // [LOCK-1]
                                                   std::memory_order_relaxed)) {
      return;
    }
  }
  // From here on the word is left at 2: a thread that slept cannot know whether others still sleep.
  while (word_.exchange(2, std::memory_order_acquire) != 0) {  // [LOCK-1]
    os::futex_wait(word_, 2);
  }
}

void futex_word::unlock_slow() noexcept { os::futex_wake(word_, 1); }

// noinline: the address of held_ranks must not be cached by a caller that changes threads.
[[gnu::noinline]] void lock_rank_acquire(lock_rank rank) noexcept {
  WEFT_CHECK(held_ranks < bit(rank),
             "weft took its own locks out of order; report this with the stack of the abort");
  held_ranks |= bit(rank);
}

[[gnu::noinline]] void lock_rank_release(lock_rank rank) noexcept {
  WEFT_CHECK((held_ranks & bit(rank)) != 0,
             "weft released a lock that this thread does not hold; report this with the stack");
  held_ranks &= ~bit(rank);
}

[[gnu::noinline]] bool lock_rank_held(lock_rank rank) noexcept {
  return (held_ranks & bit(rank)) != 0;
}

}  // namespace weft::base
