// SPDX-License-Identifier: BSL-1.0
// sched/run.cpp - a fiber gets a stack, runs, ends; the next one takes over.
//
//   fiber_entry   the bottom of every fiber stack. One stack runs fiber after fiber as long as the
//                 next one is fresh and asks for the same size: no switch, no stack to get, and the
//                 hot one is used again.
//   finish_switch_slow   what the arriving side owes to the stack that was left
// A fiber's end publishes its result first and frees its stack after: the stack is still in use
// until the next one has been arrived at.
#include <exception>
#include <utility>

#include "base/check.hpp"
#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "sched/spawn.hpp"
#include "sched/stack_check.hpp"
#include "trace/event.hpp"

namespace weft::detail {
namespace {

// Those that follow frame pointers end at the calling function's caller. What make_fcontext left
// there is an address in the code, not a frame.
[[gnu::always_inline]] inline void end_of_frames() noexcept {
  *static_cast<void* volatile*>(__builtin_frame_address(0)) = nullptr;
}

// Not inlined: so fiber_entry is the last name they see, and no 0 follows it.
[[noreturn, gnu::noinline]] void run_fibers(worker* w) noexcept {
  end_of_frames();
  for (;;) {
    fiber_record& f = *w->current;
    *w->state.exceptions = {};
    set_float_environment();
    // From fiber to fiber it is said by the one that was left (trace/README.md, "What is not
    // written").
    if (w->action == switch_action::own_context) trace::emit(trace::event::fiber_start, f.id);
    leave(*w);
    f.operations->invoke(f, start::run);
    finish_in_user_mode(f);
    w = enter();
    if (stacks_are_checked.load(std::memory_order_relaxed)) [[unlikely]]
      look_at_end(f);
    const stack_ref stack = stack_of(f);
    const stack_class size = f.stack;
#if WEFT_TSAN
    void* const tsan = f.tsan_fiber;
#endif
    w = w->home->end_fiber(*w, f);  // the record may be gone now
    fiber_record* next = pick_local(*w);
    while (next != nullptr) {
      if (next->context == nullptr && next->stack == size) {
        next->stack_limit = stack.limit;
#if WEFT_TSAN
        next->tsan_fiber = tsan;
#endif
        next->word.set(fiber_state::running);
        w->current = next;
        break;
      }
      if (prepare(*w, *next)) break;
      next = pick_local(*w);
    }
    w->left = nullptr;
    w->action = switch_action::finish;
    if (next != nullptr && next->stack_limit == stack.limit) continue;
    w->left_stack = stack;
#if WEFT_TSAN
    w->left_tsan = tsan;
#endif
    if (next == nullptr) w->current = nullptr;
    jump(next != nullptr ? next->context : w->own, w,
         next != nullptr ? bounds_of(*next) : w->own_bounds, true);
    __builtin_unreachable();
  }
}

void fiber_entry(transfer t) noexcept {
#if defined(__x86_64__) && defined(__GNUC__)
  asm volatile(".cfi_undefined rip");  // unwinders end here
#elif defined(__aarch64__)
  asm volatile(".cfi_undefined x30");
#endif
  end_of_frames();
#if WEFT_ASAN || WEFT_TSAN
  arrived_first_time();
#endif
  worker* w = static_cast<worker*>(t.data);
  finish_switch(*w, t.fctx);
  run_fibers(w);
}

}  // namespace

bool prepare_start(worker& w, fiber_record& f) noexcept {
  std::error_code why;
  const stack_ref stack = w.stacks.take(f.stack, why);
  if (!stack) [[unlikely]] {
    if (w.current == nullptr) {
      w.home->fail_start(w, f, why);
    } else {  // not on this stack, which is the user's: later, on the worker's own
      w.held->local.push(&f);
      w.resched_requested.store(1, std::memory_order_relaxed);
    }
    return false;
  }
  if (stacks_are_checked.load(std::memory_order_relaxed)) [[unlikely]]
    look_at_parks();
  f.stack_limit = stack.limit;
  std::byte* top = coloured_top(stack);
  f.set_context(boost::context::detail::make_fcontext(
      top, static_cast<std::size_t>(top - stack.limit), &fiber_entry));
#if WEFT_TSAN
  f.tsan_fiber = make_tsan_fiber();
#endif
  return true;
}

void finish_switch_slow(worker& w, context from) noexcept {
  switch (w.action) {
    case switch_action::park: {
      fiber_record& f = *w.left;
      rest_at(f, from);
      if (f.word.commit([&] { return f.stop_requested.load(std::memory_order_seq_cst); }) ==
          commit_duty::enqueue) {
        trace_ready(&w, f, 0);  // the earlier waker has gone
        if (w.held != nullptr) [[likely]]
          w.home->put_next(w, f);
        else  // it parked without a processor
          w.home->inject(f);
      }
      return;
    }
    case switch_action::requeue:
      trace::emit(trace::event::requeue, w.left->id);
      rest_at(*w.left, from);
      w.left->word.set(fiber_state::runnable);
      w.home->inject(*w.left);
      return;
    case switch_action::finish:
      w.stacks.give(w.left_stack);
      destroy_tsan_fiber(std::exchange(w.left_tsan, nullptr));
      return;
    case switch_action::yield:
    case switch_action::own_context:
      break;
  }
  WEFT_CHECK(false, "a stack was left without saying why");
}

void scheduler::run(worker& w, fiber_record& f) noexcept {
  if (f.has(fiber_record::timed)) [[unlikely]]
    stop_clock(w.counters, f);
  if (!prepare(w, f)) return;
  w.left = nullptr;
  w.action = switch_action::own_context;
  static_cast<void>(switch_to(w, f.context, bounds_of(f)));
}

worker* scheduler::end_fiber(worker& w, fiber_record& f) noexcept {
  trace::emit_end(f.id);
  if (f.has(fiber_record::pinned) && w.own_fiber == &f) [[unlikely]]
    sleepers_.end_own(w);
  f.word.set(fiber_state::dead);
  worker* now = &w;
  const std::uint64_t id = f.id;  // a joiner that gives up in this moment may free the record
  const join_word::finish_result end = f.join.finish();
  if (end.joiner != join_word::open) {
    const ticket joiner{end.joiner};
    fiber_record& r = record_of(joiner);
    if (r.word.wake(joiner.epoch(), wake_code::ready) == wake_duty::enqueue) {
      if (r.home == this && w.held != nullptr) {
        trace_ready(&w, r, id, trace::when::at_once);
        put_next(w, r);
      } else {
        enqueue(r);
      }
    }
  } else if (end.free_record) {
    if (f.operations->drop_result != nullptr || f.error) [[unlikely]] {
      // Detached in this very moment: what is the user's runs outside weft, and still on this
      // stack.
      const bool in_fiber = w.current != nullptr;
      leave(w);
      upper.dispose_result(f);
      now = in_fiber ? enter() : enter_to_park();
    }
    release(now, f);
  }
  count_end(now);
  return now;
}

void scheduler::notify_drained() noexcept {
  drained_.fetch_add(1, std::memory_order_release);  // [LIFE-2] wait_until_empty
  os::futex_wake(drained_, os::wake_all);
}

// The fiber never ran: its joiner gets the reason as if the fiber had thrown it.
void scheduler::fail_start(worker& w, fiber_record& f, std::error_code why) noexcept {
  std::exception_ptr error;
  try {
    error = std::make_exception_ptr(make_stack_error(why, f.stack));
  } catch (...) {
    error = std::current_exception();
  }
  end_unstarted(w, f, std::move(error));
}

void scheduler::end_unstarted(worker& w, fiber_record& f, std::exception_ptr why) noexcept {
  leave(w);
  f.operations->invoke(f, start::discard);
  f.error = std::move(why);
  f.word.set(fiber_state::running);
  finish_in_user_mode(f);
  static_cast<void>(end_fiber(*enter_to_park(), f));  // with a processor or without
}

}  // namespace weft::detail
