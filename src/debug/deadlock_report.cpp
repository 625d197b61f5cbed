// SPDX-License-Identifier: BSL-1.0
// debug/deadlock_report.cpp - see the header.
#include "debug/deadlock_report.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <unordered_set>

#include <weft/debug.hpp>

#include "base/lock_guard.hpp"
#include "debug/dump_trigger.hpp"
#include "debug/wait_graph.hpp"
#include "os/os.hpp"
#include "trace/session.hpp"

namespace weft::detail {
namespace {

// Such a parked fiber is woken by a fiber or a thread, and by nothing else.
bool waits_for_somebody(park_reason r) noexcept {
  switch (r) {
    case park_reason::join:
    case park_reason::scope_join:
    case park_reason::scope_limit:
    case park_reason::mutex:
    case park_reason::shared_mutex:
    case park_reason::condition_variable:
    case park_reason::semaphore:
    case park_reason::latch:
    case park_reason::barrier:
    case park_reason::once:
    case park_reason::wait_group:
    case park_reason::event:
    case park_reason::channel_send:
    case park_reason::channel_receive:
    case park_reason::select:
      return true;
    default:
      return false;
  }
}

std::size_t threads_of_process() {
  std::error_code ec;
  std::size_t n = 0;
  for (std::filesystem::directory_iterator all("/proc/self/task", ec), end; !ec && all != end;
       all.increment(ec))
    ++n;
  return ec ? SIZE_MAX : n;
}

// No entry of a heap is the deadline of a fiber or of a timer.
bool no_timer(const runtimes_held& runtimes) {
  bool none = true;
  for (const scheduler* s : runtimes.all())
    for (const auto& p : s->processors())
      p->timers.look(
          [&](std::int64_t, ticket t) { none = none && !record_of(t).word.awaits(t.epoch()); });
  return none;
}

struct findings {
  std::size_t fibers = 0;
  std::vector<std::string> cycles;
  std::uint64_t mark = 0;  // of all that is reported
  bool nothing_runs_again = false;
};

findings check_sources() {
  findings out;
  snapshot_taker taker(false);
  wait_graph graph;
  std::size_t waiting_threads = 0;
  // a waiter for a place holds a child that was not queued
  std::size_t fresh = 0, at_limits = 0;
  bool certain = true;
  for_each_record([&](fiber_record& f) {
    fiber_snapshot l;
    if (!taker.look(f, l)) return;
    graph.add(l);
    at_limits += l.place == fiber_position::parked && l.reason == park_reason::scope_limit ? 1 : 0;
    if (l.home == nullptr) {
      const bool timed = f.thread_deadline.load(std::memory_order_relaxed);
      waiting_threads += !timed && waits_for_somebody(l.reason) ? 1 : 0;
      return;
    }
    ++out.fibers;
    // perhaps a descriptor
    const bool selects = l.reason == park_reason::select && l.home->poller().in_use();
    const bool stuck =
        l.place == fiber_position::lending ||
        (l.place == fiber_position::parked && waits_for_somebody(l.reason) && !selects);
    if (l.place == fiber_position::fresh)
      ++fresh;
    else
      certain = certain && stuck;
    out.mark = (out.mark ^ l.word ^ l.id) * 0x9e3779b97f4a7c15U;
  });
  graph.resolve(taker.runtimes());
  for (const wait_graph::cycle& c : graph.cycles()) out.cycles.push_back(wait_graph::text_of(c));
  std::size_t own = trace::session_now() != trace::session_kind::none ? 1 : 0;
  for (const scheduler* s : taker.runtimes().all()) own += s->own_threads();
  out.nothing_runs_again = certain && fresh == at_limits && out.fibers > 0 &&
                           no_timer(taker.runtimes()) &&
                           own + waiting_threads == threads_of_process();
  return out;
}

bool is_news(std::uint64_t mark) {
  static base::futex_lock lock;
  static std::unordered_set<std::uint64_t>& told = *new std::unordered_set<std::uint64_t>;
  const base::lock_guard guard(lock);
  return told.insert(mark).second;
}

}  // namespace

void check_for_deadlock(scheduler& s) try {
  const findings found = check_sources();
  if ((found.cycles.empty() && !found.nothing_runs_again) || !is_news(found.mark)) return;
  std::string text = "weft: deadlock in runtime \"" + s.settings().name + "\"";
  text += found.nothing_runs_again ? ": no fiber of the process can ever run again. Each waits for "
                                     "another, or for a thread that waits, too.\n"
                                   : ": fibers wait for each other.\n";
  text += debug::dump_fibers();
  if (s.settings().deadlock_hook)
    s.settings().deadlock_hook(text);
  else
    os::write_stderr(text);
  if (s.settings().on_deadlock != deadlock_policy::abort) return;
  forget_crash_dump();  // it was just written, and would be by this thread
  std::abort();
} catch (const std::bad_alloc&) {  // another time
}

}  // namespace weft::detail
