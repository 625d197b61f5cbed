// SPDX-License-Identifier: BSL-1.0
#pragma once
// api/inline_join.hpp - a join runs the child it waits for, if that is the newest entry of the
// joiner's deque.
//
// The child keeps its own record: id, name, locals, stop, exceptions. It may park: the joiner waits
// for it anyway, and the stack they share parks with it. No stack, no switch, no wake; a server's
// queue stays first in, first out.

#include "sched/park.hpp"
#include "sched/spawn.hpp"

namespace weft::detail {

[[noreturn]] void throw_deadlock();
[[nodiscard]] bool is_current_task(const task& t) noexcept;

void submit_task_at(task& t, const void* site) noexcept;  // api/tasks.cpp
void leave_scope(fiber_record& f) noexcept;               // api/scope.cpp

/// True if there is room for it. A child is promised three quarters of its stack size. If the frame
/// is not on the fiber's own stack but on one that the application made (a ucontext, a
/// coroutine's), its end is unknown, so the child gets a stack of its own.
[[nodiscard]] inline bool fits_here(const worker& w, const fiber_record& child) noexcept {
  constexpr std::uint8_t alien = fiber_record::pinned | fiber_record::is_thread;
  const auto flags = child.flags.load(std::memory_order_relaxed) |
                     w.current->flags.load(std::memory_order_relaxed);
  // the joiner's, too: no other fiber on its thread [OWN-1]
  if ((flags & alien) != 0 || child.context != nullptr) [[unlikely]]
    return false;
  const auto* here = static_cast<const std::byte*>(__builtin_frame_address(0));
#if WEFT_ASAN && defined(__x86_64__)
  asm("mov %%rsp, %0" : "=r"(here));  // the frame may be on ASan's fake stack
#endif
  const auto left = static_cast<std::size_t>(here - w.current->stack_limit);
  const std::size_t quarters = left / (min_stack_size / 4) >> static_cast<unsigned>(child.stack);
  const stack_class size = w.current->stack;
  // with more the frame would be elsewhere
  if (child.stack == size) [[likely]]
    return quarters == 3;
  return left < slot_size(size) && quarters >= 3;
}

/// What the child must not see of the joiner, and gets back afterwards; rare.
struct joiners_state {
  exception_globals in_flight;
  float_environment floats;
};
[[nodiscard]] inline bool has_state_to_hide(const worker& w) noexcept {
  return w.state.exceptions->any() || !float_environment_is_calm();
}
[[nodiscard, gnu::noinline, gnu::cold]] joiners_state hide_state(worker& w) noexcept;
[[gnu::noinline, gnu::cold]] void restore_state(worker& w, const joiners_state& s) noexcept;

/// Runs `child`, which the caller has just taken off a queue, on the caller's stack. Inside weft,
/// before and after: the worker it is on then. What is left to do is the child's end.
[[gnu::always_inline]] inline worker& run_on_this_stack(worker& joiners,
                                                        fiber_record& child) noexcept {
  worker* w = &joiners;
  fiber_record& parent = *w->current;
  child.stack_limit = parent.stack_limit;
  child.stack = parent.stack;
  child.flags.store(
      (child.flags.load(std::memory_order_relaxed) & ~fiber_record::timed) | fiber_record::inlined,
      std::memory_order_relaxed);
  child.outer = &parent;
  child.word.set(fiber_state::running);
  w->current = &child;
  joiners_state hidden;
  const bool hides = has_state_to_hide(*w);
  if (hides) [[unlikely]]
    hidden = hide_state(*w);
  if (trace::listened_to()) [[unlikely]]
    trace::emit(trace::event::inline_join, child.id, 0, parent.id);
  leave(*w);
  child.operations->invoke(child, start::run);
  finish_in_user_mode(child);
  w = enter();
  set_float_environment();
  if (hides) [[unlikely]]
    restore_state(*w, hidden);
  if (trace::listened_to()) [[unlikely]]
    trace::emit(trace::event::inline_end, child.id, 0, parent.id);
  w->current = &parent;
  return *w;
}

/// The same with its end. Returns outside weft.
inline void run_inline(worker& joiners, fiber_record& child) noexcept {
  worker& w = run_on_this_stack(joiners, child);
  w.home->end_inline(w, child);
  leave(w);
}

}  // namespace weft::detail
