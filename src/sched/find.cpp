// SPDX-License-Identifier: BSL-1.0
// sched/find.cpp - where the next fiber comes from, on the worker's own stack.
//
//   1  mail: fibers bound to this thread
//   2  every `check_interval` steps: one from the inject queue, due timers, the poller - so that a busy
//      deque cannot starve them. The interval halves while the looks come later than 100 us apart. A processor that was
//      taken away from a fiber looks at once, every other time (take_assigned)
//   3  next slot, own deque
//   4  inject queue (a share of it), own timers, the poller without waiting
//   5  search: half of a random victim's deque, but for 20 us not of a short one that moves; several passes, the last one
//      looks at others' timers too. Nobody polls there: 4 has just looked, and who finds nothing sleeps in the poller, or
//      leaves that to who does already
//   6  nothing: retire (idle.cpp)
#include <algorithm>
#include <utility>

#include "sched/door.hpp"
#include "sched/park.hpp"
#include "trace/event.hpp"

namespace weft::detail {
namespace {

// Among busy workers an event is served no earlier for being fetched early: it queues behind what is there. Looking every
// 50 us cost an HTTP server of 1000 connections 4 % of its requests.
constexpr std::int64_t poll_interval_ns = 250'000;
constexpr int search_passes = 4;
constexpr std::size_t timers_at_once = 256;
constexpr std::size_t longest_share = 64;
constexpr std::int64_t short_queue = 64;
constexpr std::int64_t turns_in_the_time_of_a_theft = 8;
constexpr std::int64_t longest_look_ns = 4'000, longest_patience_ns = 20'000;

// Is that queue short, and does its holder get to it sooner than its fibers would be warm elsewhere? A fiber that is
// taken to another core brings a channel, a lock and their other users' lines along, and soon they meet on both:
// one select and eight senders 265 ns an item when each of them was stolen at sight, 140 so.
bool soon_done(const processor& of) noexcept {
  if (const std::int64_t n = of.local.size(); n == 0 || n > short_queue) return false;
  const std::uint32_t before = of.tick.load(std::memory_order_relaxed);
  const std::int64_t until = os::now_ns() + longest_look_ns;
  do {
    for (int i = 0; i < 8; ++i) os::cpu_relax();
    const std::uint32_t turns = of.tick.load(std::memory_order_relaxed) - before;
    if (turns > 0 && of.local.size() <= turns_in_the_time_of_a_theft * turns) return true;
  } while (os::now_ns() < until);
  return false;
}

}  // namespace

void prefetch_run(const deque<fiber_record*>& of) noexcept {
  of.for_claimed([](const fiber_record* f) {
    const context at = f->context;  // in the line of the record that its word is in: these misses overlap, too
    __builtin_prefetch(&f->wait_object, 1);
    if (at != nullptr) __builtin_prefetch(at, 1);
  });
}

void scheduler::loop(worker& w) noexcept {
  for (;;) {
    if (w.held == nullptr && !sleep(w)) return;
    if (threads_end_.load(std::memory_order_relaxed)) [[unlikely]] return;  // stragglers are left behind
    if (census_.surplus() > 0 && rest(w)) [[unlikely]] continue;
    if (frozen_count_.load(std::memory_order_relaxed) > 0 && w.held->thaw_is_due() && thaw(w)) continue;
    fiber_record* f = find(w);
    if (f == nullptr) {
      if (frozen_count_.load(std::memory_order_acquire) > 0 && thaw(w)) continue;
      if (linger(w)) continue;
      if (!retire(w)) return;
      continue;
    }
    if (w.searching) stop_searching(w);
    if (f->has(fiber_record::pinned) && f->bound != nullptr && f->bound != &w)
      hand_off(w, *f);
    else
      run(w, *f);
  }
}

// An offloaded call is on its way, and such calls were short lately: its end is awaited awake. Asleep, the way back costs
// a wake-up, and the pool's thread falls asleep over it, too: 40 us a round trip instead of 2 (bench/compare offload, on
// an idle machine). Calls that are not short soon make it stop trying.
bool scheduler::linger(worker& w) noexcept {
  constexpr std::int64_t longest_ns = 20'000;
  constexpr std::int32_t most_luck = 16;
  constexpr std::uint32_t try_again = 64;
  if (!offloads_.awaited()) [[likely]] return false;
  processor& p = *w.held;
  if (p.linger_luck == 0 && ++p.linger_skipped % try_again != 0) return false;
  const std::int64_t until = os::now_ns() + longest_ns;
  while (injected_size_.load(std::memory_order_relaxed) <= 0) {
    for (int i = 0; i < 8; ++i) os::cpu_relax();
    if (os::now_ns() < until) continue;
    p.linger_luck = std::max(p.linger_luck - 1, 0);
    return false;
  }
  p.linger_luck = most_luck;
  return true;
}

fiber_record* scheduler::find(worker& w) noexcept {
  processor& p = *w.held;
  const bool asked = w.attention.load(std::memory_order_acquire) != 0;  // [MAIL-1] hand_off
  if (asked) {
    if (fiber_record* f = take_mail(w)) return f;
    p.kept_waiting = true;  // who gave way lies in the deque, before those whose timer is due now
  }
  if (asked || p.look_is_due())
    if (fiber_record* f = look_around(w, p)) return f;
  p.bump_tick_unlooked();
  if (fiber_record* f = p.next.load(std::memory_order_relaxed)) {
    p.next.store(nullptr, std::memory_order_relaxed);
    return f;
  }
  if (fiber_record* f = p.local.take()) return f;
  if (fiber_record* f = take_injected(w, p)) return f;
  if (fire_timers(w, p) + poll_now(w) > 0)
    if (fiber_record* f = p.local.take()) return f;
  return search(w);
}

fiber_record* scheduler::look_around(worker& w, processor& p) noexcept {
  const std::int64_t now = os::now_ns();
  const std::int64_t since = now - p.checked_ns;
  p.count_steps();
  if (since > processor::check_every_ns)
    p.check_interval = std::max(p.check_interval / 2, processor::shortest_check);
  else
    p.check_interval = std::min(p.check_interval + 4, processor::longest_check);
  p.checked_ns = now;
  // Kept near: the difference to a tick of long ago wraps.
  if (frozen_count_.load(std::memory_order_relaxed) == 0) p.thaw_at = p.tick.load(std::memory_order_relaxed);
  p.looked_tick = p.tick.load(std::memory_order_relaxed);
  p.check_at = p.looked_tick + p.check_interval;
  if (fire_timers(w, p) > 0 && std::exchange(p.kept_waiting, false))
    if (fiber_record* f = p.local.pop()) return f;  // of several, the last
  p.kept_waiting = false;
  if (now - polled_at_.load(std::memory_order_relaxed) > poll_interval_ns) poll_now(w);
  return take_injected(w, p);
}

// One to run, and this processor's share of the rest.
fiber_record* scheduler::take_injected(worker& w, processor& p) noexcept {
  const std::int64_t there = injected_size_.load(std::memory_order_relaxed);
  if (there <= 0) return nullptr;
  if (late_.load(std::memory_order_relaxed) != nullptr)
    if (fiber_record* f = take_late(w, p)) return f;
  const std::size_t share = std::clamp<std::size_t>(
      static_cast<std::size_t>(there) / census_.serving(), 1, longest_share);
  fiber_record* got[longest_share];
  const std::size_t n = injected_.try_dequeue_bulk(got, share);
  if (n == 0) return nullptr;
  injected_size_.fetch_sub(static_cast<std::int64_t>(n), std::memory_order_relaxed);
  w.counters.injected.add(n);
  for (std::size_t i = 1; i < n; ++i) p.local.push(got[i]);
  if (n > 1 && !w.searching) wake_one_if_needed();
  return got[0];
}

// All of them: there are few. One to run, in the order they came.
fiber_record* scheduler::take_late(worker& w, processor& p) noexcept {
  fiber_record* newest = late_.exchange(nullptr, std::memory_order_acquire);  // push_late
  fiber_record* oldest = nullptr;
  std::int64_t n = 0;
  while (newest != nullptr) {
    fiber_record* next = std::exchange(newest->link, oldest);
    oldest = std::exchange(newest, next);
    ++n;
  }
  if (oldest == nullptr) return nullptr;
  injected_size_.fetch_sub(n, std::memory_order_relaxed);
  w.counters.injected.add(static_cast<std::uint64_t>(n));
  for (fiber_record* f = oldest->link; f != nullptr;) p.local.push(std::exchange(f, f->link));
  if (n > 1) wake_one_if_needed();
  return oldest;
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
      tell_ready(&w, f, 0);
      w.held->local.push(&f);
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
  poll_source::batch& ready = w.ready;
  poller_->poll(0, ready);
  polled_at_.store(os::now_ns(), std::memory_order_relaxed);
  const std::size_t n = ready.size();
  w.counters.polls.add();
  w.counters.poll_events.add(n);
  if (n > 0) trace::emit(trace::event::poll, 0, n);
  for (fiber_record* f : ready) {
    tell_ready(&w, *f, 0);
    w.held->local.push(f);
  }
  ready.clear();
  if (n > 1 && !w.searching) wake_one_if_needed();
  return n;
}

fiber_record* scheduler::search(worker& w) noexcept {
  const std::uint32_t serving = census_.serving();
  if (serving == 1) return nullptr;
  const auto count = static_cast<std::uint32_t>(processor_count());
  if (!w.searching) {
    if (!idle_.try_begin_search(serving)) return nullptr;
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
        if (fiber_record* f = w.held->local.take()) return f;
    }
    if (fiber_record* f = take_injected(w, *w.held)) return f;
    for (int i = 0; i < 8; ++i) os::cpu_relax();
  }
  return nullptr;
}

// Half of what the victim has, one entry at a time (deque.hpp says why); the first to run, the rest to keep.
fiber_record* scheduler::steal_from(worker& w, processor& victim) noexcept {
  std::int64_t want = (victim.local.size() + 1) / 2;
  if (want == 0) return nullptr;
  deque<fiber_record*>::raid raid(victim.local);
  fiber_record* first = nullptr;
  std::size_t n = 0;
  while (want > 0) {
    const auto [status, f] = raid.steal();
    if (status == steal_status::empty) break;
    if (status == steal_status::lost_race) {
      --want;
      continue;
    }
    ++n, --want;
    if (first == nullptr)
      first = f;
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

fiber_record* scheduler::take_mail(worker& w) noexcept {
  const std::lock_guard guard(idle_lock_);
  fiber_record* f = w.mail;
  if (f != nullptr) w.mail = f->link;
  w.attention.store(w.mail != nullptr, std::memory_order_relaxed);
  return f;
}

void scheduler::stop_searching(worker& w) noexcept {
  w.searching = false;
  if (idle_.end_search() != search_duty::wake_another) return;
  // While we searched, submitters relied on us. What they published since is ours to announce; the fence is cheap
  // when nobody else runs, and a wake-up for nothing is dearer than it in any case.
  base::real_sync::heavy_fence();  // [IDLE-1] light_fence in must_wake
  if (work_in_sight()) wake_one_if_needed();
}

}  // namespace weft::detail
