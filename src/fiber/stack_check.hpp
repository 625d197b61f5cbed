// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/stack_check.hpp - stacks without a guard page: whether a fiber has run off one is looked
// at, not caught.
//
//   slot:  [ red zone, a quarter of the stack's size | a page | usable ... | canary line ]   the
//          next slot follows
// The red zone costs address space only: it has no page until a fiber runs into it, which
// mincore(2) shows. A frame that jumps over all of it lands on the slot below, whose uppermost line
// must be as it was made, or zero, if its pages have gone back to the kernel meanwhile. Looked at
// when the fiber ends, when it parks with less than a quarter of its stack left, and by the monitor
// while it runs.
// Rejected: a canary at the stack's lower end (a page of memory for each: twice the price of a
// sleeping fiber); the red zone within the stack's size (a program that fits on a guarded stack
// must fit on this one).

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "fiber/stack_pool.hpp"

namespace weft::detail {

/// True from the first checked stack on; relaxed: a fiber that runs on one has seen it.
extern constinit std::atomic<bool> stacks_are_checked;

[[nodiscard]] constexpr std::size_t red_zone_size(stack_class c) noexcept {
  return slot_size(c) / 4;
}

/// True if a fiber has run off the stack with this limit. False for a guarded one. Never allocates.
[[nodiscard]] bool ran_off(const std::byte* limit) noexcept;

/// At preparation, and when the top page is a new one.
void write_canary(std::byte* top) noexcept;

/// The first one is about to be handed out: reports it, once.
void begin_checked_stacks() noexcept;

}  // namespace weft::detail
