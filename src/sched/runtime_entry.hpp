// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/runtime_entry.hpp - into weft and out again (processor_lease.hpp), and the one jump between
// stacks.

#include "fiber/switch.hpp"
#include "sched/scheduler.hpp"
#include "sched/worker.hpp"
#include "trace/event.hpp"

namespace weft::detail {

[[WEFT_SWITCHES, gnu::cold]] worker* enter_slow(worker* w) noexcept;
[[gnu::noinline, gnu::cold]] worker* enter_to_park_slow(worker* w) noexcept;

/// The calling worker, inside weft and holding a processor; null on a plain thread, and on a
/// worker without a fiber (it destroys a callable it had no stack for) whose processor was taken
/// meanwhile. May park the calling fiber, if that happened to it: nothing about "this worker" known
/// before is true afterwards.
inline worker* enter(worker* w) noexcept {
  if (w == nullptr) return nullptr;
  processor* p = w->gate.enter();
  if (p != nullptr && p == w->held) [[likely]]
    return w;
  return enter_slow(w);
}
inline worker* enter() noexcept { return enter(this_worker()); }
inline void leave(worker& w) noexcept { w.gate.leave(); }

/// As enter, between begin_park and the park itself: the fiber must not queue up for a processor
/// now, for its word says already that it waits. So without a processor it parks without one: then
/// `held` is null. So does a fiber that may not change its thread here [CB-2].
inline worker* enter_to_park() noexcept {
  worker* w = this_worker();
  processor* p = w->gate.enter();
  if (p != nullptr && p == w->held) [[likely]]
    return w;
  return enter_to_park_slow(w);
}

/// The record of the calling fiber, or of the calling plain thread (made on first use).
[[nodiscard]] fiber_record& this_agent();

// ---- what the arriving side does for the side that left (run.cpp)
[[gnu::noinline]] void finish_switch_slow(worker& w, context from) noexcept;

/// Where `f` goes on. On the stack it was left on: its own, or one that the application made and
/// put it on.
inline void rest_at(fiber_record& f, context from) noexcept {
  f.set_context(from);
#if WEFT_ASAN
  f.rests_on = left_bounds();
#endif
}

inline void finish_switch(worker& w, context from) noexcept {
  fiber_record* f = w.left;
  if (w.action == switch_action::yield) [[likely]] {
    rest_at(*f, from);
    f->word.set(fiber_state::runnable);
    w.held->local.push(f);
    return;
  }
  if (w.action == switch_action::own_context) {
    w.own = from;
    return;
  }
  finish_switch_slow(w, from);
}

[[gnu::noinline, gnu::cold]] void sample_wake(worker& w, fiber_record& f) noexcept;

inline stack_bounds bounds_of([[maybe_unused]] const fiber_record& f) noexcept {
#if WEFT_ASAN || WEFT_TSAN
  const stack_ref own = stack_of(f);
  stack_bounds b{own.limit, own.size, nullptr};
#if WEFT_ASAN
  if (f.rests_on.bottom != nullptr) b = f.rests_on;
#endif
#if WEFT_TSAN
  const fiber_record* on = &f;
  while (on->has(fiber_record::inlined)) on = on->outer;
  b.tsan = on->tsan_fiber;
#endif
  return b;
#else
  return {};
#endif
}

// For the tracer and the counters: `f` waits no more; the caller won its wake. `w`: the calling
// worker, null on other threads. `by`: the fiber that did it, 0 for a timer, the poller, or another
// thread.
inline void trace_ready(worker* w, fiber_record& f, std::uint64_t by,
                        trace::when time = trace::when::now) noexcept {
  trace::emit(trace::event::fiber_ready, time, f.id,
              static_cast<std::uint64_t>(f.reason.load(std::memory_order_relaxed)), by);
  if (w == nullptr || w->home != f.home) [[unlikely]]
    f.home->count_outside_wake(f);
  else if (w->counters.wakes.add() == w->counters.sample_at) [[unlikely]]
    sample_wake(*w, f);
}

template <class Queue>
std::size_t scheduler::take_ready(worker* w, poll_source::batch& ready, Queue&& queue) noexcept {
  for (fiber_record* f : ready) {
    trace_ready(w, *f, 0);
    queue(*f);
  }
  const std::size_t n = ready.size();
  ready.clear();
  return n;
}

inline std::uint64_t id_of_current(const worker& w) noexcept {
  return w.current != nullptr ? w.current->id : 0;
}

/// Leaves this stack for `to`. Returns after a jump back, with the worker it then runs on.
[[gnu::always_inline]] inline worker* switch_to(worker& w, context to,
                                                const stack_bounds& bounds) noexcept {
  const exception_globals exceptions = *w.state.exceptions;
  const int error_number = *w.state.error_number;
  const transfer t = jump(to, &w, bounds, false);
  worker& now = *static_cast<worker*>(t.data);
  finish_switch(now, t.fctx);
  *now.state.exceptions = exceptions;
  *now.state.error_number = error_number;
  return &now;
}

/// Gives a fresh fiber its stack. False: there was none; the fiber has failed and is gone.
[[gnu::noinline]] bool prepare_start(worker& w, fiber_record& f) noexcept;

/// Makes `f` the current fiber; false as prepare_start.
inline bool prepare(worker& w, fiber_record& f) noexcept {
  if (f.context == nullptr && !prepare_start(w, f)) [[unlikely]]
    return false;
  f.word.set(fiber_state::running);
  w.current = &f;
  return true;
}

// The fibers to prefetch may be others' by now.
inline void prefetch_lines(const std::byte* at, std::size_t first, std::size_t last) noexcept {
  for (std::size_t i = first; i < last; ++i) __builtin_prefetch(at + i * base::cache_line, 1);
}
/// What the jump and the first returns after it read.
inline constexpr std::size_t lines_of_jump = 6;
inline void prefetch_stack(fiber_record& f) noexcept {
  if (const std::byte* at = f.context_hint())  // it has started
    prefetch_lines(at, 0, lines_of_jump);
}
/// What the look at its descriptor reads, and the returns to the call that waited.
inline void prefetch_wait(fiber_record& f) noexcept {
  constexpr std::size_t lines = 16;
  const park_reason why = f.reason.load(std::memory_order_relaxed);
  const std::byte* const at = f.context_hint();
  if ((why != park_reason::io_read && why != park_reason::io_write) || at == nullptr) return;
  prefetch_lines(at, lines_of_jump, lines);
  if (const void* descriptor = f.wait_object.load(std::memory_order_relaxed))
    prefetch_lines(static_cast<const std::byte*>(descriptor), 0, 2);
}

/// The next fiber of the processor's own queues (service_order.hpp). Null: look further, on the
/// worker's own stack.
inline fiber_record* pick_local(worker& w) noexcept {
  processor& p = *w.held;
  if (p.is_due(p.bump_tick()) || w.resched_requested.load(std::memory_order_relaxed) != 0)
      [[unlikely]]
    return nullptr;
  fiber_record* f = take_own(p.order, p);
  if (f == nullptr) return nullptr;
  if (f->has_any(fiber_record::pinned | fiber_record::timed)) [[unlikely]] {
    if (f->has(fiber_record::pinned)) {  // its own thread must run it, from its loop: see run_bound
      p.set_aside = f;
      w.resched_requested.store(1, std::memory_order_relaxed);
      return nullptr;
    }
    if (f->has(fiber_record::timed)) stop_clock(w.counters, *f);
  }
  // A fiber that was away for long is cold, and its stack is far from any other: half of a sleep's
  // price is misses.
  const bool waited = p.order.ready_waits;
  const deque<fiber_record*>& q = waited ? p.ready : p.local;
  if (const fiber_record* soon = q.peek_further()) soon->prefetch();
  if (fiber_record* soon = q.peek()) {
    prefetch_stack(*soon);
    if (waited) prefetch_wait(*soon);
  }
  return f;
}

/// A fiber that can be jumped to, or null; failed starts are skipped.
inline fiber_record* pick_prepared(worker& w) noexcept {
  for (;;) {
    fiber_record* f = pick_local(w);
    if (f == nullptr || prepare(w, *f)) return f;
  }
}

/// The calling fiber leaves its stack with `action`, for `f` or for the worker's own context.
[[gnu::always_inline]] inline worker* switch_stack(worker& w, fiber_record& self, fiber_record* f,
                                                   switch_action action) noexcept {
  w.left = &self;
  w.action = action;
  worker* now;
  if (f != nullptr) {
    now = switch_to(w, f->context, bounds_of(*f));
  } else {
    w.current = nullptr;
    now = switch_to(w, w.own, w.own_bounds);
  }
  // From fiber to fiber it is one moment, and one look at the clock; from the worker's own loop it
  // is not.
  if (now->action == switch_action::own_context)
    trace::emit(trace::event::fiber_resume, self.id);
  else
    trace::emit_at_once(trace::event::fiber_resume, self.id);
  return now;
}

}  // namespace weft::detail
