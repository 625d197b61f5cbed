// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/lock_rank.hpp - the order in which weft's own locks may nest, checked in debug builds.
// A thread may take a lock only if every ranked lock it holds has a smaller rank; so a cycle of
// waits between locks is impossible. Equal ranks do not nest either. Add a rank
// where the nesting is, in order; the numbers are not stored anywhere. An unranked lock is not
// checked.

#include <cstdint>

namespace weft::base {

enum class lock_rank : std::uint8_t {
  unranked,     // not checked: never held while taking another lock of weft
  runtime,      // starting, stopping, the list of runtimes
  scope,        // a scope's children
  sync_object,  // a mutex's, channel's … waiter list
  netpoller,    // descriptors
  timers,       // a processor's timer heap
  scheduler,    // a runtime's workers and their threads, the pool for offloaded calls
  idle,         // idle processors, sleeping and preempted workers
  stack_pool,   // free stacks and slabs
  leaf,         // takes nothing else, not even memory
};

// Called by ranked_futex_lock in debug builds; a violation names both ranks and aborts.
void lock_rank_acquire(lock_rank rank) noexcept;
void lock_rank_release(lock_rank rank) noexcept;
/// True if the calling thread holds one of that rank. For tests; false in builds without
/// assertions.
[[nodiscard]] bool lock_rank_held(lock_rank rank) noexcept;

}  // namespace weft::base
