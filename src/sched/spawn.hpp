// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/spawn.hpp - the short way of a spawn and of an end, inline: a spawn and an inline join are
// 20 ns together, and each call that is not one is a nanosecond of them.

#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

namespace weft::detail {

inline void scheduler::reset(fiber_record& f, std::uint64_t id) noexcept {
  f.set_context(nullptr);
#if WEFT_ASAN
  f.rests_on = {};
#endif
  f.set_home(this);
  f.join.reset();
  f.stack_limit = nullptr;
  f.stack = default_class_;
  f.flags.store(0, std::memory_order_relaxed);
  f.stop_requested.store(false, std::memory_order_relaxed);
  f.id = id;
  f.word.publish(fiber_state::fresh);
}

/// A record, if no limit has to be looked at and nothing has to be fetched; else null.
inline fiber_record* scheduler::allocate_quick(worker& w) noexcept {
  if (w.spawn_allowance <= 0 || w.next_id == w.end_id || w.records.empty()) [[unlikely]]
    return nullptr;
  fiber_record& f = w.records.take_quick();
  reset(f, w.next_id++);
  w.count_spawn();
  return &f;
}

/// `w`: inside weft; null from outside. `site`: where the user's code called, for the tracer and
/// the profiler.
inline void scheduler::submit(worker* w, fiber_record& f, const void* site) noexcept {
  if (trace::spawns_watched.load(std::memory_order_relaxed) != 0) [[unlikely]]
    trace_created(w, f, site);
  if (w == nullptr) [[unlikely]] {
    inject_from_outside(f);
    return;
  }
  w->held->local.push(&f);
  wake_one_if_needed();
}

inline void scheduler::release(worker* w, fiber_record& f) noexcept {
  constexpr std::uint8_t unclean = fiber_record::has_extras | fiber_record::pinned;
  // [REC-3] not into the cache of another runtime.
  if (w == nullptr || w->home != f.home || (f.flags.load(std::memory_order_relaxed) & unclean) != 0)
      [[unlikely]] {
    clean_and_release(w, f);
    return;
  }
  f.word.set(fiber_state::unused);
  w->records.give(f);
}

inline void scheduler::count_end(worker* w) noexcept {
  if (w != nullptr) [[likely]]
    w->count_end();
  else
    outside_.ended.fetch_add(1, std::memory_order_release);
  if (phase_.load(std::memory_order_relaxed) != phase::running) [[unlikely]]
    notify_drained();
}

/// A fiber that its joiner ran has ended, without an error, and the joiner has its result.
inline void scheduler::end_joined(worker& w, fiber_record& f) noexcept {
  f.stack_limit = nullptr;
  release(&w, f);
  count_end(&w);
}

/// A fiber that its joiner ran has ended.
inline void scheduler::end_inline(worker& w, fiber_record& f) noexcept {
  f.stack_limit = nullptr;
  if (f.join.is_detached()) {
    release(&w, f);
  } else {
    f.word.set(fiber_state::dead);
    f.join.finish_alone();
  }
  count_end(&w);
}

}  // namespace weft::detail
