// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/lock_history.hpp - which calls led to the last lock of a mutex: for the report of its
// misuse, in builds with assertions.
//
// The frames are found by the chain of frame pointers: a few nanoseconds each, where an unwinder
// takes a hundred. Code compiled without them (-fomit-frame-pointer, gcc's default with -O1 and up)
// ends the chain; its own address is known still. The table has room for the mutexes locked last:
// an entry that had to go is forgotten.

#include <array>
#include <cstddef>

#include "fiber/record.hpp"

namespace weft::detail {

struct lock_calls {
  std::array<const void*, 16> frames{};
  std::size_t count = 0;  // 0: forgotten
};

/// The calls above `frame` (a frame address of the caller's) are those that lock `mutex` now.
/// `self` is the caller.
void remember_lock(const void* mutex, const fiber_record& self, const void* frame) noexcept;
[[nodiscard]] lock_calls calls_that_locked(const void* mutex) noexcept;

}  // namespace weft::detail
