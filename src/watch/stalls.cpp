// SPDX-License-Identifier: BSL-1.0
// watch/stalls.cpp - see the header.
#include "watch/stalls.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>

#include "base/utf8.hpp"
#include "sched/hooks.hpp"
#include "sched/user_hook.hpp"
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

stalls::stalls(scheduler& s, service_thread& service) : s_(s), service_(service) {
  detached_.reserve(s.settings().max_threads);
}

bool stalls::matter() const noexcept {
  return s_.settings().on_stall != nullptr || trace::wants_stalls();
}

void stalls::watch(processor& p, worker& w, std::int64_t now, std::int64_t cpu,
                   bool still) noexcept {
  const std::int64_t limit = span_ns(s_.settings().stall_after);
  if (limit == 0 || !matter()) return;
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
  w.stall.told = leave_report(w, took, still ? stall_kind::blocked : stall_kind::computing);
}

// The user's code is called by the service thread: it may take its time, and the monitor must not.
bool stalls::leave_report(worker& w, std::int64_t took, stall_kind kind) noexcept {
  // [SERVICE-2] the one before is still being reported
  if (w.stall.to_report.load(std::memory_order_acquire)) return false;
  w.stall.told_record = w.stall.record;
  w.stall.told_fiber = w.stall.fiber;
  w.stall.told_ns = took;
  w.stall.told_kind = kind;
  std::memcpy(w.stall.told_name, w.stall.name, sizeof w.stall.name);
  count_.add();
  w.stall.to_report.store(true, std::memory_order_release);  // [SERVICE-2] report
  service_.wake();
  return true;
}

void stalls::begin_detached(worker& w, std::int64_t since) noexcept {
  w.detached.store(true, std::memory_order_relaxed);  // before it can look: its gate is taken
  if (s_.settings().stall_after.count() == 0 || !matter()) return;
  const bool told = w.stall.told && w.stall.since_ns == since;
  note_fiber(w);
  w.stall.since_ns = since;
  if (!told && std::find(detached_.begin(), detached_.end(), &w) == detached_.end())
    detached_.push_back(&w);
}

void stalls::watch_detached(std::int64_t now) noexcept {
  const std::int64_t limit = span_ns(s_.settings().stall_after);
  std::erase_if(detached_, [&](worker* w) {
    if (!w->detached.load(std::memory_order_relaxed)) return true;
    if (now - w->stall.since_ns < limit) return false;
    return leave_report(*w, now - w->stall.since_ns, stall_kind::blocked);
  });
}

void stalls::report() noexcept {
  s_.for_each_worker([&](worker& w) {
    if (!w.stall.to_report.load(std::memory_order_acquire)) return;  // [SERVICE-2] leave_report
    trace::note_stall(w.stall.told_fiber, static_cast<std::uint64_t>(w.stall.told_kind), w.index);
    if (s_.settings().on_stall) {
      fiber_record* const f = w.stall.told_record;
      stall_report report{
          w.stall.told_fiber, {}, std::chrono::nanoseconds(w.stall.told_ns), w.stall.told_kind, {}};
      try {
        report.fiber_name = without_half_character(w.stall.told_name);
        if (f != nullptr) report.calls = upper.calls_of(*f, w.stall.told_fiber);
      } catch (const std::bad_alloc&) {  // told without
      }
      call_hook_on_service_thread("on_stall", s_.settings().on_stall, report);
    }
    // [SERVICE-2] the slot is the monitor's again
    w.stall.to_report.store(false, std::memory_order_release);
  });
}

}  // namespace weft::detail
