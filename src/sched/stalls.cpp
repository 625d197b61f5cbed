// SPDX-License-Identifier: BSL-1.0
// sched/stalls.cpp - reports fibers that keep their thread for long without calling weft, once
// each, to the user.
//
//   computing   CPU time since the call it came from, its frozen time not counted: the monitor sees
//               the same tick, or a tick that began with a thaw
//   blocked     time since it was first seen; by then it has usually lost its processor, and is in
//               `detached_`
// The fiber's name is read while the monitor holds its worker's gate: then the worker is not
// inside, and `current` becomes inactive. Its calls are found by the service thread, as for a dump:
// a signal has the thread copy its stack, unless it sleeps in a call that would end early.
// Rejected: looking up their names there, too (a second of reading debug information, and no spare
// is made meanwhile).
#include <algorithm>
#include <cstring>
#include <string_view>

#include "sched/runtime_entry.hpp"
#include "trace/session.hpp"

namespace weft::detail {

namespace {

void note_fiber(worker& w) noexcept {
  fiber_record* f = w.current;
  w.stall.record = f;
  w.stall.fiber = f != nullptr ? f->id : 0;
  const fiber_extras* x = f != nullptr ? f->extras.load(std::memory_order_acquire) : nullptr;
  const std::string_view name = x != nullptr ? std::string_view(x->name) : std::string_view();
  w.stall.name[name.copy(w.stall.name, sizeof w.stall.name - 1)] = 0;  // [MON-3]: no std::string
}

}  // namespace

bool scheduler::stalls_matter() const noexcept {
  return options_.on_stall != nullptr || trace::wants_stalls();
}

void scheduler::watch_stall(processor& p, worker& w, std::int64_t now, std::int64_t cpu,
                            bool still) noexcept {
  const std::int64_t limit = span_ns(options_.stall_after);
  if (limit == 0 || !stalls_matter()) return;
  const bool goes_on = p.thawed_ns.load(std::memory_order_relaxed) == p.seen.since_ns;
  if (w.stall.tick != p.seen.tick && !goes_on) {
    w.stall.since_ns = p.seen.since_ns;
    w.stall.cpu_ns = cpu;
    w.stall.told = false;
  }
  w.stall.tick = p.seen.tick;
  if (w.stall.told) return;
  const std::int64_t took = still ? now - p.seen.since_ns : cpu - w.stall.cpu_ns;
  if (took < limit) return;
  if (still && w.activity() == os::thread_activity::runs) return;
  if (!w.gate.try_take(&p)) return;
  note_fiber(w);
  w.gate.give_back(&p);
  w.stall.told = report_stall(w, took, still ? stall_kind::blocked : stall_kind::computing);
}

// The user's code is called by the service thread: it may take its time, and the monitor must not.
bool scheduler::report_stall(worker& w, std::int64_t took, stall_kind kind) noexcept {
  // [SERVICE-2] the one before is still being reported
  if (w.stall.to_report.load(std::memory_order_acquire)) return false;
  w.stall.told_record = w.stall.record;
  w.stall.told_fiber = w.stall.fiber;
  w.stall.told_ns = took;
  w.stall.told_kind = kind;
  std::memcpy(w.stall.told_name, w.stall.name, sizeof w.stall.name);
  monitor_counters_.stalls.add();
  w.stall.to_report.store(true, std::memory_order_release);  // [SERVICE-2] report_stalls
  wake_service_thread();
  return true;
}

void scheduler::begin_detached(worker& w, std::int64_t since) noexcept {
  w.detached.store(true, std::memory_order_relaxed);  // before it can look: its gate is taken
  if (options_.stall_after.count() == 0 || !stalls_matter()) return;
  const bool told = w.stall.told && w.stall.since_ns == since;
  note_fiber(w);
  w.stall.since_ns = since;
  if (!told && std::find(detached_.begin(), detached_.end(), &w) == detached_.end())
    detached_.push_back(&w);
}

void scheduler::watch_detached(std::int64_t now) noexcept {
  const std::int64_t limit = span_ns(options_.stall_after);
  std::erase_if(detached_, [&](worker* w) {
    if (!w->detached.load(std::memory_order_relaxed)) return true;
    if (now - w->stall.since_ns < limit) return false;
    return report_stall(*w, now - w->stall.since_ns, stall_kind::blocked);
  });
}

}  // namespace weft::detail
