// SPDX-License-Identifier: BSL-1.0
#pragma once
// api/inline_join.hpp - a join runs the child it waits for, if that is what lies newest on the joiner's deque.
//
// The child keeps its own record: id, name, locals, stop, exceptions. It may park: the joiner waits for it anyway, and
// the stack they share parks with it. No stack, no switch, no wake; a server's queue stays first in, first out.

#include "sched/door.hpp"

namespace weft::detail {

/// Runs `child`, which the caller has just taken off a queue, on the caller's stack. Enters inside weft, returns
/// outside.
void run_inline(worker& w, fiber_record& child) noexcept;

/// Is there room for it? A child is promised three quarters of its stack size.
[[nodiscard]] bool fits_here(const worker& w, const fiber_record& child) noexcept;

/// True: the child has run and ended.
[[nodiscard]] bool try_join_inline(fiber_record& child) noexcept;

// ---- what a fiber's end runs in user mode ---------------------------------------------------------
void leave_scope(fiber_record& f) noexcept;   // api/scope.cpp

[[noreturn]] void throw_deadlock();
[[nodiscard]] bool is_current_task(const task& t) noexcept;

[[nodiscard]] inline std::int64_t deadline_ns(std::chrono::steady_clock::time_point t) noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
}

}  // namespace weft::detail
