// SPDX-License-Identifier: BSL-1.0
// debug/deadlock_report.cpp - see the header.
#include "debug/deadlock_report.hpp"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <unordered_set>
#include <vector>

#include <dirent.h>

#include <weft/debug.hpp>

#include "base/lock_guard.hpp"
#include "base/one_line.hpp"
#include "debug/dump_trigger.hpp"
#include "debug/wait_graph.hpp"
#include "os/errno_guard.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"
#include "sched/user_hook.hpp"
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

// SIZE_MAX: unknown. Rejected: std::filesystem, which ends the process if it finds no memory.
std::size_t threads_of_process() noexcept {
  const std::unique_ptr<DIR, decltype([](DIR* d) { ::closedir(d); })> all(
      ::opendir("/proc/self/task"));
  if (all == nullptr) return SIZE_MAX;
  os::set_error_number(0);
  std::size_t n = 0;
  while (const dirent* const entry = ::readdir(all.get())) n += entry->d_name[0] != '.' ? 1 : 0;
  return os::error_number() != 0 ? SIZE_MAX : n;
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

// What all fibers, and the threads that wait in weft, do.
struct process_look {
  std::size_t fibers = 0, waiting_threads = 0;
  std::uint64_t fibers_mark = 0, threads_mark = 0;  // who they are, and where each waits
  bool certain = true;                              // the fibers wait for somebody, all of them

  [[nodiscard]] bool nobody_runs() const noexcept { return certain && fibers > 0; }
  [[nodiscard]] bool same_as(const process_look& other) const noexcept {
    return fibers_mark == other.fibers_mark && threads_mark == other.threads_mark;
  }
};

template <class Each>
process_look look_at_all(snapshot_taker& taker, Each&& each) {
  process_look out;
  const auto mix = [](std::uint64_t& mark, const fiber_snapshot& l) {
    mark = (mark ^ l.word ^ l.id) * 0x9e3779b97f4a7c15U;
  };
  // a waiter for a place holds a child that was not queued
  std::size_t fresh = 0, at_limits = 0;
  for_each_record([&](fiber_record& f) {
    fiber_snapshot l;
    if (!taker.look(f, l)) return;
    each(l);
    at_limits += l.place == fiber_position::parked && l.reason == park_reason::scope_limit ? 1 : 0;
    if (l.home == nullptr) {
      mix(out.threads_mark, l);
      const bool timed = f.thread_deadline.load(std::memory_order_relaxed);
      out.waiting_threads += !timed && waits_for_somebody(l.reason) ? 1 : 0;
      return;
    }
    mix(out.fibers_mark, l);
    if (l.place == fiber_position::parked && is_left_behind(f)) return;  // it does nothing more
    ++out.fibers;
    // perhaps a descriptor
    const bool selects = l.reason == park_reason::select && l.home->poller().in_use();
    const bool stuck =
        l.place == fiber_position::lending ||
        (l.place == fiber_position::parked && waits_for_somebody(l.reason) && !selects);
    if (l.place == fiber_position::fresh)
      ++fresh;
    else
      out.certain = out.certain && stuck;
  });
  out.certain = out.certain && fresh == at_limits;
  return out;
}

std::size_t own_threads(const snapshot_taker& taker) {
  std::size_t own = trace::session_now() != trace::session_kind::none ? 1 : 0;
  for (const scheduler* s : taker.runtimes().all()) own += s->own_threads();
  return own;
}

struct findings {
  std::vector<std::string> cycles;
  std::uint64_t mark = 0;  // of all that is reported
  bool nothing_runs_again = false;
};

// The threads of the process are counted between two looks that see the same: one that waited at
// the first and has ended since would make up for one that runs. If the looks are the same, all of
// them have waited from the one to the other; those that the count then leaves out do not exist.
findings check_sources() {
  findings out;
  snapshot_taker taker(false);
  wait_graph graph;
  const process_look first = look_at_all(taker, [&](const fiber_snapshot& l) { graph.add(l); });
  out.mark = first.fibers_mark;
  graph.resolve(taker.runtimes());
  for (const wait_graph::cycle& c : graph.cycles()) out.cycles.push_back(wait_graph::text_of(c));
  if (!first.nobody_runs()) return out;
  const std::size_t own = own_threads(taker);
  if (own + first.waiting_threads != threads_of_process()) return out;
  const process_look second = look_at_all(taker, [](const fiber_snapshot&) {});
  out.nothing_runs_again = second.nobody_runs() && second.same_as(first) &&
                           own_threads(taker) == own && no_timer(taker.runtimes());
  return out;
}

// The situations that were told.
struct told_marks {
  base::futex_lock lock;
  std::unordered_set<std::uint64_t> all WEFT_GUARDED_BY(lock);

  [[nodiscard]] bool has(std::uint64_t mark) {
    const base::lock_guard guard(lock);
    return all.contains(mark);
  }
  // False: it was there.
  [[nodiscard]] bool add(std::uint64_t mark) {
    const base::lock_guard guard(lock);
    return all.insert(mark).second;
  }
};
told_marks& told() {
  static told_marks& marks = *new told_marks;
  return marks;
}

}  // namespace

void check_for_deadlock(scheduler& s) try {
  const findings found = check_sources();
  if ((found.cycles.empty() && !found.nothing_runs_again) || told().has(found.mark)) return;
  std::string text = "weft: deadlock in runtime \"" + one_line(s.settings().name) + "\"";
  text += found.nothing_runs_again ? ": no fiber of the process can ever run again. Each waits for "
                                     "another, or for a thread that waits, too.\n"
                                   : ": fibers wait for each other.\n";
  text += debug::dump_fibers();
  // Once there is a text: without memory for one it is news the next time, too.
  if (!told().add(found.mark)) return;
  if (s.settings().deadlock_hook)
    call_hook_on_service_thread("deadlock_hook", s.settings().deadlock_hook, text);
  else
    os::write_stderr(text);
  if (s.settings().on_deadlock != deadlock_policy::abort) return;
  forget_crash_dump();  // it was just written, and would be by this thread
  std::abort();
} catch (const std::bad_alloc&) {  // another time
}

}  // namespace weft::detail
