// SPDX-License-Identifier: BSL-1.0
// sched/find.cpp - where the next fiber comes from, on the worker's own stack.
//
//   1  a frozen thread, after a retake
//   2  a check, every `check_interval` steps: due timers, the poller, the inject queue are brought
//      into this processor's queues, and a frozen thread's turn may have come. The interval halves
//      while checks come later than 100 us apart; the monitor requests one when a timer is overdue,
//      and so does a worker that takes up a processor that others wait for
//   3  bound fibers; next slot, ready queue, local queue. Up to here service_order.hpp decides
//   4  inject queue (a share of it), own timers; half of what is ready at a stalled processor, or
//      the poller without waiting
//   5  search: half of a random victim's queue, but for 20 us not of a short one that moves;
//      several passes, the last one looks at others' timers too. No worker polls there: 4 has just
//      looked, and a worker that finds nothing sleeps in the poller, or leaves that to the one that
//      does already
//   6  nothing: a frozen thread, else retire (idle.cpp)
#include <algorithm>
#include <utility>

#include "sched/no_alloc_list.hpp"
#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

namespace weft::detail {
namespace {

// Among busy workers an event is served no earlier for being fetched early: it queues behind what
// is there. Looking every 50 us cost an HTTP server of 1000 connections 4 % of its requests.
constexpr std::int64_t poll_interval_ns = 250'000;
constexpr std::int64_t longest_unpolled_ns = 1'000'000, stalled_ns = 50'000;  // ORDER-8
constexpr int search_passes = 4;
constexpr std::size_t timers_at_once = 256;
constexpr std::size_t longest_share = 64;
constexpr std::int64_t short_queue = 64;
constexpr std::int64_t turns_in_the_time_of_a_theft = 8;
constexpr std::int64_t longest_snapshot_ns = 4'000, longest_patience_ns = 20'000;

// True if its queues are short, and its holder gets to its fibers sooner than they would be warm
// elsewhere. A fiber that is taken to another core brings a channel, a lock and their other users'
// lines along, and soon they meet on both: one select and eight senders 265 ns an item when each of
// them was stolen at sight, 140 with this rule.
bool soon_done(const processor& of) noexcept {
  if (const std::int64_t n = of.stealable(); n == 0 || n > short_queue) return false;
  const std::uint32_t before = of.tick.load(std::memory_order_relaxed);
  const std::int64_t until = os::now_ns() + longest_snapshot_ns;
  do {
    for (int i = 0; i < 8; ++i) os::cpu_relax();
    const std::uint32_t turns = of.tick.load(std::memory_order_relaxed) - before;
    if (turns > 0 && of.stealable() <= turns_in_the_time_of_a_theft * turns) return true;
  } while (os::now_ns() < until);
  return false;
}

}  // namespace

void prefetch_pages(const fiber_record& f) noexcept {
  __builtin_prefetch(f.context, 1);
  __builtin_prefetch(coloured_top(stack_of(f)) - base::cache_line);
}

void prefetch_run(const deque<fiber_record*>& of) noexcept {
  of.for_claimed([](const fiber_record* f) {
    // in the line of the record that its word is in: these misses overlap, too
    const context at = f->context;
    __builtin_prefetch(&f->wait_object, 1);
    if (at != nullptr) __builtin_prefetch(at, 1);
  });
}

void scheduler::loop(worker& w) noexcept {
  for (;;) {
    if (w.held == nullptr && !sleep(w)) return;
    // stragglers are left behind
    if (sleepers_.has_ended()) [[unlikely]]
      return;
    if (counts_.surplus() > 0 && rest(w)) [[unlikely]]
      continue;
    // before the frozen ones: it was given the processor for its own
    if (w.own_fiber != nullptr) [[unlikely]] {
      if (!wait_for_own(w)) return;
      continue;
    }
    fiber_record* f = find(w);
    if (f == nullptr) {
      if (w.held == nullptr) continue;
      if (sleepers_.frozen() > 0 && thaw(w)) continue;
      if (spin_for_offload(w)) continue;
      if (!retire(w)) return;
      continue;
    }
    if (w.searching) stop_searching(w);
    if (!f->has(fiber_record::pinned) || run_bound(w, *f)) run(w, *f);
  }
}

// An offloaded call is on its way, and such calls were short lately: its end is awaited awake.
// Asleep, the way back costs a wake-up, and the pool's thread falls asleep over it, too: 40 us a
// round trip instead of 2 (bench/compare offload, on an idle machine). Calls that are not short
// soon make it stop trying.
bool scheduler::spin_for_offload(worker& w) noexcept {
  constexpr std::int64_t longest_ns = 20'000;
  constexpr std::int32_t most_luck = 16;
  constexpr std::uint32_t try_again = 64;
  if (!offloads_.awaited()) [[likely]]
    return false;
  processor& p = *w.held;
  if (p.offload_spin_luck == 0 && ++p.offload_spins_skipped % try_again != 0) return false;
  const std::int64_t until = os::now_ns() + longest_ns;
  while (injected_size_.load(std::memory_order_relaxed) <= 0) {
    for (int i = 0; i < 8; ++i) os::cpu_relax();
    if (os::now_ns() < until) continue;
    p.offload_spin_luck = std::max(p.offload_spin_luck - 1, 0);
    return false;
  }
  p.offload_spin_luck = most_luck;
  return true;
}

// What service_order.hpp asks of a worker and the processor it holds.
struct scheduler::check_env {
  scheduler& s;
  worker& w;
  processor& p;

  [[nodiscard]] processor& queues() noexcept { return p; }
  // [SLEEP-3] send_bound
  [[nodiscard]] bool asked() const noexcept {
    return w.resched_requested.load(std::memory_order_acquire) != 0;
  }
  [[nodiscard]] bool check_is_due() const noexcept { return p.check_is_due(); }
  [[nodiscard]] bool some_frozen() const noexcept { return s.sleepers_.frozen_hint() > 0; }
  [[nodiscard]] bool thaw() noexcept { return s.thaw(w); }
  [[nodiscard]] std::int64_t slice() const noexcept { return s.sleepers_.frozen_slice(); }
  [[nodiscard]] std::int64_t begin_check() noexcept { return s.begin_check(p); }
  [[nodiscard]] bool bring_ready(std::int64_t now) noexcept {
    std::size_t n = s.fire_timers(w, p);
    const std::int64_t unpolled = now - s.polled_at_.load(std::memory_order_relaxed);
    if (unpolled > poll_interval_ns &&
        (unpolled > longest_unpolled_ns || s.find_stalled(w, now) == nullptr))
      n += s.poll_now(w);
    if (s.no_alloc_list_.load(std::memory_order_relaxed) != nullptr) n += s.bring_late(w, p);
    return n > 0;
  }
  void bring_injected() noexcept { static_cast<void>(s.bring_injected(w, p)); }
  [[nodiscard]] fiber_record* take_bound() noexcept { return s.sleepers_.take_bound(w); }
};

// Null and no processor: a frozen thread has it.
fiber_record* scheduler::find(worker& w) noexcept {
  processor& p = *w.held;
  if (fiber_record* f = std::exchange(p.set_aside, nullptr)) return f;
  check_env env{*this, w, p};
  fiber_record* f = take_checked(p.order, env);
  if (w.held == nullptr) return nullptr;
  p.bump_tick();
  if (f != nullptr) return f;
  if (!bring_injected(w, p) && fire_timers(w, p) == 0) {
    if ((f = steal_from_stalled(w)) != nullptr) return f;
    if (poll_now(w) == 0) return search(w);
  }
  if ((f = take_own(p.order, p)) != nullptr) return f;
  return search(w);
}

// ORDER-8  fibers that are ready at a processor that takes no steps are served by others, though
//          nobody is idle.
fiber_record* scheduler::steal_from_stalled(worker& w) noexcept {
  if (counts_.serving() == 1) return nullptr;
  const std::int64_t now = os::now_ns();
  if (now - polled_at_.load(std::memory_order_relaxed) > longest_unpolled_ns) return nullptr;
  processor* const stalled = find_stalled(w, now);
  fiber_record* const f = stalled != nullptr ? steal_from(w, *stalled) : nullptr;
  // A worker that retires meanwhile sees them in neither queue, and this one is not counted as
  // searching [IDLE-1].
  if (f != nullptr && w.held->stealable() > 0 && !w.searching) wake_one_if_needed();
  return f;
}

// One is watched at a time, and the next one when that has moved.
processor* scheduler::find_stalled(worker& w, std::int64_t now) noexcept {
  const auto count = static_cast<std::uint32_t>(processor_count());
  processor& p = *w.held;
  processor& watched = *processors_[p.watched];
  if (&watched != &p && watched.tick.load(std::memory_order_relaxed) == p.watched_tick &&
      watched.stealable() > 0)
    return now - p.watched_since_ns >= stalled_ns ? &watched : nullptr;
  for (std::uint32_t i = 0; i < count; ++i) {
    p.watched = (p.watched + 1) % count;
    processor& next = *processors_[p.watched];
    if (&next == &p) continue;
    p.watched_tick = next.tick.load(std::memory_order_relaxed);
    p.watched_since_ns = now;
    // not an idle or inactive one, unless something was left there [OWN-3]
    if (next.holder.load(std::memory_order_relaxed) != nullptr || next.stealable() > 0) break;
  }
  return nullptr;
}

std::int64_t scheduler::begin_check(processor& p) noexcept {
  const std::int64_t now = os::now_ns();
  const std::int64_t since = now - p.checked_ns;
  p.count_steps();
  if (since > processor::check_every_ns)
    p.check_interval = std::max(p.check_interval / 2, processor::shortest_check);
  else
    p.check_interval = std::min(p.check_interval + 4, processor::longest_check);
  p.measure_steps(now);
  p.checked_ns = now;
  p.check_at.store(p.tick.load(std::memory_order_relaxed) + p.check_interval,
                   std::memory_order_relaxed);
  return now;
}

// This processor's share of what others have queued.
bool scheduler::bring_injected(worker& w, processor& p) noexcept {
  const std::int64_t there = injected_size_.load(std::memory_order_relaxed);
  if (there <= 0) return false;
  std::size_t brought =
      no_alloc_list_.load(std::memory_order_relaxed) != nullptr ? bring_late(w, p) : 0;
  const std::size_t share = std::clamp<std::size_t>(
      static_cast<std::size_t>(there) / counts_.serving(), 1, longest_share);
  fiber_record* got[longest_share];
  const std::size_t n = injected_.try_dequeue_bulk(got, share);
  brought += n;
  if (n > 0) {
    injected_size_.fetch_sub(static_cast<std::int64_t>(n), std::memory_order_relaxed);
    w.counters.injected.add(n);
    bool one_goes_ahead = true;  // not asked for yet
    for (std::size_t i = 0; i < n; ++i) {
      const bool waited = got[i]->reason.load(std::memory_order_relaxed) != park_reason::none;
      if (waited || (std::exchange(one_goes_ahead, false) && p.order.new_goes_ahead()))  // ORDER-4
        p.push_ready(got[i]);
      else
        p.local.push(got[i]);
    }
  }
  if (brought > 1 && !w.searching) wake_one_if_needed();
  return brought > 0;
}

// All of them: there are few, and they have waited. In the order they came.
std::size_t scheduler::bring_late(worker& w, processor& p) noexcept {
  fiber_record* const oldest = take_all<fiber_record>(no_alloc_list_);
  std::size_t n = 0;
  for (const fiber_record* f = oldest; f != nullptr; f = f->link) ++n;
  if (n == 0) return 0;
  injected_size_.fetch_sub(static_cast<std::int64_t>(n), std::memory_order_relaxed);
  w.counters.injected.add(n);
  for (fiber_record* f = oldest; f != nullptr;) p.push_ready(std::exchange(f, f->link));
  if (n > 1 && !w.searching) wake_one_if_needed();
  return n;
}

std::size_t scheduler::fire_timers(worker& w, processor& of) noexcept {
  if (of.timers.earliest() == timer_queue::never) return 0;
  const std::int64_t now = os::now_ns();
  std::size_t woken = 0, fired = 0, n;
  do {
    n = of.timers.fire(now, timers_at_once, [&](fiber_record& f) {
      if (f.has(fiber_record::is_thread) || f.home != this) {
        enqueue(f);
        return;
      }
      trace_ready(&w, f, 0);
      w.held->push_ready(&f);
      ++woken;
    });
    fired += n;
  } while (n == timers_at_once);
  w.counters.timers_fired.add(fired);
  if (fired > 0) trace::emit(trace::event::timers_fired, 0, fired);
  if (woken > 1 && !w.searching) wake_one_if_needed();
  return woken;
}

std::size_t scheduler::poll_now(worker& w) noexcept {
  if (!poller_->in_use()) return 0;
  static_cast<void>(poll(0, w.ready, w.counters));
  if (!w.ready.empty()) trace::emit(trace::event::poll, 0, w.ready.size());
  const std::size_t n = take_ready(&w, w.ready, [&w](fiber_record& f) {
    prefetch_pages(f);
    w.held->push_ready(&f);
  });
  if (n > w.held->soon_served() && !w.searching) wake_one_if_needed();
  return n;
}

fiber_record* scheduler::search(worker& w) noexcept {
  const std::uint32_t serving = counts_.serving();
  if (serving == 1) return nullptr;
  const auto count = static_cast<std::uint32_t>(processor_count());
  if (!w.searching) {
    if (!sleepers_.try_begin_search(serving)) return nullptr;
    w.searching = true;
  }
  std::int64_t patient_until = 0;
  bool patient = true;
  for (int pass = 0; pass < search_passes; ++pass) {
    const std::uint32_t first = w.random.below(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      processor& victim = *processors_[(first + i) % count];
      if (&victim == w.held) continue;
      if (patient && soon_done(victim)) {
        const std::int64_t now = os::now_ns();
        if (patient_until == 0) patient_until = now + longest_patience_ns;
        patient = now < patient_until;
        if (patient) {
          pass = 0;
          continue;
        }
      }
      if (fiber_record* f = steal_from(w, victim)) return f;
      if (pass == search_passes - 1 && fire_timers(w, victim) > 0)
        if (fiber_record* f = take_own(w.held->order, *w.held)) return f;
    }
    if (bring_injected(w, *w.held))
      if (fiber_record* f = take_own(w.held->order, *w.held)) return f;
    for (int i = 0; i < 8; ++i) os::cpu_relax();
  }
  return nullptr;
}

// Half of what the victim has, of the ready ones if it has any, one entry at a time (deque.hpp says
// why); the first to run, the rest to keep.
fiber_record* scheduler::steal_from(worker& w, processor& victim) noexcept {
  const bool ready = victim.ready.size() > 0;
  deque<fiber_record*>& from = ready ? victim.ready : victim.local;
  std::int64_t want = (from.size() + 1) / 2;
  if (want == 0) return nullptr;
  deque<fiber_record*>::steal_session steal_session(from);
  fiber_record* first = nullptr;
  std::size_t n = 0;
  while (want > 0) {
    const auto [status, f] = steal_session.steal();
    if (status == steal_status::empty) break;
    if (status == steal_status::lost_race) {
      --want;
      continue;
    }
    ++n, --want;
    if (first == nullptr)
      first = f;
    else if (ready)
      w.held->push_ready(f);
    else
      w.held->local.push(f);
  }
  if (n > 0) {
    w.counters.steals.add();
    w.counters.stolen.add(n);
    trace::emit(trace::event::steal, 0, n, victim.index);
  }
  return first;
}

void scheduler::stop_searching(worker& w) noexcept {
  w.searching = false;
  if (sleepers_.end_search() != search_duty::wake_another) return;
  // While we searched, submitters relied on us. What they published since is ours to announce; the
  // fence is cheap if no other thread runs, and a needless wake-up costs more than it in any case.
  base::real_sync::heavy_fence();  // [IDLE-1] light_fence in must_wake
  if (work_in_sight()) wake_one_if_needed();
}

}  // namespace weft::detail
