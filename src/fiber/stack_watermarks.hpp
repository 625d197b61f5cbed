// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/stack_watermarks.hpp - how much of their stacks fibers have touched: by the resident pages,
// looked up on request. A stack starts with its top page and gets others when they are touched;
// they stay until it is given back to the global pool (class_pool::put_back), which looks at one
// stack of each batch before it drops them.
// Rejected: a mark in each stack's pages (it would touch them); an account at each end of a fiber
// (a system call).

#include <cstddef>
#include <vector>

#include <weft/metrics.hpp>

#include "fiber/stack_pool.hpp"

namespace weft::detail {

/// Of every size that is in use. Throws std::bad_alloc.
[[nodiscard]] std::vector<stack_metrics> measure_stacks();

/// Bytes from the top down to the deepest page that is there; 0 if none is, or the kernel does not
/// say.
[[nodiscard]] std::size_t touched_bytes(stack_ref stack);
/// What fits `touched` bytes with a quarter to spare.
[[nodiscard]] std::size_t suggested_stack_size(std::size_t touched) noexcept;

/// Its pages are about to be dropped. Never allocates; looks at sizes up to 16 MiB.
void note_dropped(stack_class c, stack_ref stack) noexcept;

}  // namespace weft::detail
