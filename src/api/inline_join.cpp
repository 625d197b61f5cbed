// SPDX-License-Identifier: BSL-1.0
// api/inline_join.cpp - see the header.
#include "api/inline_join.hpp"

#include "sched/park.hpp"
#include "trace/event.hpp"

namespace weft::detail {

bool fits_here(const worker& w, const fiber_record& child) noexcept {
  if (child.flags != 0 || child.context != nullptr) return false;
  const auto* here = static_cast<const std::byte*>(__builtin_frame_address(0));
  const fiber_record& self = *w.current;
#if WEFT_ASAN
  // The frame may be on ASan's fake stack: the real one is what its own register says.
  const std::byte* sp;
  asm("mov %%rsp, %0" : "=r"(sp));
  here = sp;
#endif
  const auto left = static_cast<std::size_t>(here - self.stack_limit);
  return left >= slot_size(child.stack) / 4 * 3;
}

void run_inline(worker& joiners, fiber_record& child) noexcept {
  worker* w = &joiners;
  fiber_record& parent = *w->current;
  child.stack_limit = parent.stack_limit;
  child.flags = fiber_record::inlined;
  child.outer = &parent;
  child.bound = parent.bound;
  child.word.set(fiber_state::running);
  w->current = &child;
  const exception_globals in_flight = *w->state.exceptions;
  if (in_flight.any()) [[unlikely]] *w->state.exceptions = {};
  trace::emit(trace::event::inline_join, child.id, parent.id);
  leave(*w);
  child.invoke(child, start::run);
  finish_in_user_mode(child);
  w = enter();
  if (in_flight.any()) [[unlikely]] *w->state.exceptions = in_flight;
  w->current = &parent;
  child.stack_limit = nullptr;
  w->home->end_inline(*w, child);
  leave(*w);
}

bool try_join_inline(fiber_record& child) noexcept {
  worker* w = enter();
  if (w == nullptr) return false;
  auto& local = w->held->local;
  if (local.newest() == &child) {
    fiber_record* popped = local.pop();
    if (popped == &child && fits_here(*w, child)) {
      run_inline(*w, child);
      return true;
    }
    if (popped != nullptr) local.push(popped);
  }
  leave(*w);
  return false;
}

}  // namespace weft::detail
