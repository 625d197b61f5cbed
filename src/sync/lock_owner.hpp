// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/lock_owner.hpp - the holder of the mutex that a fiber waits for, for reports.

#include <cstdint>

#include "fiber/record.hpp"

namespace weft::detail {

struct lock_owner {
  fiber_record* agent = nullptr;   // known in builds with assertions
  const void* on_stack = nullptr;  // else a place on the owner's stack; null: not known
};

/// `waiter` was seen parked for `mutex` (park_reason::mutex) with this word. Reads the mutex only
/// if it still is: then the guard keeps the waiter in its call and so the mutex alive (WAIT-1).
/// Nothing is known otherwise.
[[nodiscard]] lock_owner read_owner(const void* mutex, fiber_record& waiter,
                                    std::uint64_t word) noexcept;

struct shared_owner {
  bool written = false;  // by a writer; else `readers`
  std::uint32_t readers = 0;
  fiber_record* writer = nullptr;  // as lock_owner::execution agent
  const void* on_stack = nullptr;
};

/// The same of a shared_mutex (park_reason::shared_mutex).
[[nodiscard]] shared_owner read_shared_owner(const void* mutex, fiber_record& waiter,
                                             std::uint64_t word) noexcept;

}  // namespace weft::detail
