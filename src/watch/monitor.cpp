// SPDX-License-Identifier: BSL-1.0
// watch/monitor.cpp - its rounds, and its sleep.
#include "watch/monitor.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <weft/detail/waiting.hpp>

#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "trace/recorder.hpp"
#include "watch/round_times.hpp"

namespace weft::detail {

monitor::monitor(scheduler& s, const monitor_helpers& h)
    : s_(s),
      service_(h.service),
      spares_(h.spare),
      stalls_(h.stall),
      retaker_(h.retake),
      preempter_(h.preempt),
      thawer_(h.thaw),
      resizer_(h.resize),
      trimmer_(h.trim) {
  ready_.reserve(poll_source::longest_batch);
}

void monitor::start() {
  thread_ = std::thread([this] { main(); });
}

// How long a fiber runs before it is asked to give way.
std::int64_t monitor::patience(const processor& p, std::int64_t slice) noexcept {
  return p.somebody_is_ready() ? std::min(slice / urgent_share, ready_patience_ns)
                               : slice / urgent_share;
}

std::int64_t monitor::delay(std::int64_t now, int quiet_rounds) const noexcept {
  std::int64_t pause = shortest_round_ns;
  for (int i = quiet_before_slowing; i < quiet_rounds && pause < longest_round_ns; ++i) pause *= 2;
  std::int64_t next =
      now + (quiet_rounds < quiet_before_quiet_rounds ? std::min(pause, longest_round_ns)
                                                      : quiet_round_ns);
  const bool vacant = s_.sleeping().is_poller_vacant();
  const std::int64_t slice = span_ns(s_.settings().time_slice);
  for (const auto& p : s_.processors()) {
    if (vacant || p->holder.load(std::memory_order_relaxed) != nullptr)
      if (const std::int64_t due = p->timers.earliest(); due != timer_queue::never)
        next = std::min(
            next, std::max(due, now) +  // overdue: its holder is behind, but alive
                      (p->seen.many_steps || p->seen.waits_for_cpu ? timer_grace_with_many_steps_ns
                                                                   : timer_grace_ns));
    if (p->seen.look_again) next = std::min(next, now + shortest_round_ns);
    if (p->seen.others_waited && slice > 0 && !p->seen.waits_for_cpu) {
      const std::int64_t since = p->seen.ran_since_ns(), asks = since + patience(*p, slice);
      const std::int64_t ends = p->seen.urgent || asks > now ? asks : since + slice;
      next = std::min(next, std::max(ends, p->seen.ask_ns));
    }
  }
  return std::max(next - now, shortest_round_ns);
}

void monitor::main() noexcept {
  os::set_thread_name(s_.settings().name, "-mon");
  trace::thread_begins(trace::thread_role::monitor, s_.number(), 0);
  os::prefer_short_waits();
  set_on_monitor();
  int quiet = 0, idle = 0;
  while (ends_.load(std::memory_order_acquire) == 0) {  // [LIFE-4] end
    trace::time_has_passed();
    resizer_.watch(os::now_ns());
    trimmer_.watch();
    const bool all_idle = s_.sleeping().idle() == s_.counts().serving();
    idle = all_idle ? idle + 1 : 0;
    if (all_idle) {
      count_resched_request();
      if (++quiet >= quiet_before_sleep && idle >= idle_before_sleep && may_sleep()) {
        s_.monitor_call().begin_sleep();  // [MON-1]
        sleep_until_busy();
        s_.monitor_call().end_sleep();
        quiet = quiet_before_slowing;
        continue;
      }
      watch_idle(os::now_ns());
    } else {
      switch (watch(os::now_ns())) {
        case met::block:
          quiet = 0;
          break;
        case met::stall:
          quiet = std::min(quiet + 1, quiet_after_a_stall);
          break;
        case met::nothing:
          quiet = std::min(quiet + 1, quiet_before_quiet_rounds);
      }
    }
    const std::int64_t now = os::now_ns();
    static_cast<void>(os::futex_wait_until(ends_, 0, steady_at(now + delay(now, quiet))));
  }
  asks_for_resched_ = false;
  count_resched_request();
}

// Once, if it takes long, it has the service thread check whether it ever will be.
void monitor::sleep_until_busy() noexcept {
  bool looks = s_.settings().on_deadlock != deadlock_policy::ignore;
  const std::int64_t look_at = os::now_ns() + span_ns(s_.settings().deadlock_after);
  const auto sleep = [&](const std::atomic<std::uint32_t>& word, std::uint32_t asleep) {
    if (looks) return os::futex_wait_until(word, asleep, steady_at(look_at));
    os::futex_wait(word, asleep);
    return true;
  };
  while (s_.sleeping().idle() == s_.counts().serving() &&
         ends_.load(std::memory_order_acquire) == 0 && s_.monitor_call().is_asleep()) {
    if (!s_.monitor_call().sleep(sleep)) {
      looks = false;
      if (s_.live_fibers() == 0) continue;
      idle_too_long_.store(true, std::memory_order_release);  // take_idle_too_long
      service_.wake();
    }
  }
}

// Everything is idle: true if a worker in the poller keeps the deadlines, and no stall is left to
// report.
bool monitor::may_sleep() noexcept {
  if (s_.sleeping().is_poller_vacant()) {
    s_.sleeping().appoint_poller();
    return false;
  }
  // Nor while the service thread is about to answer: what it finds is acted on in rounds that
  // follow. Asked first, so that what is in by then is seen below [SERVICE-3].
  if (resizer_.is_due() || spares_.is_awaited() || service_.is_at_work()) return false;
  if (compensation_.wanted() > 0) {
    compensation_.reset();
    resizer_.compensate(0);
    return false;
  }
  spares_.release_prepared();
  return !preempter_.any_successor() && !stalls_.any_detached() && s_.counts().surplus() == 0;
}

monitor::met monitor::watch(std::int64_t now) noexcept {
  const std::uint64_t retakes = retaker_.count();
  met worst = stress_.load(std::memory_order_relaxed) != 0 ? met::block : met::nothing;
  // Whatever the busy ones do: no other thread looks at the timers of an idle processor.
  if (s_.sleeping().is_poller_vacant() && s_.sleeping().idle() > 0)
    // a vacancy is no fiber's stall: no reason for quick rounds
    s_.sleeping().appoint_poller();
  for (const auto& p : s_.processors()) worst = std::max(worst, watch_processor(*p, now));
  count_resched_request();
  compensate(now);
  if (watch_idle(now)) worst = std::max(worst, met::stall);
  if (thawer_.any_frozen() && service_.is_stuck(now) && thawer_.thaw_detached())  // [PREEMPT-3]
    worst = met::block;
  if (s_.poller().in_use() && now - s_.polled_at() > poll_at_least_ns &&
      s_.sleeping().is_poller_vacant() && any_has_a_cpu()) {
    static_cast<void>(s_.poll(0, ready_, counters_));
    if (s_.take_ready(nullptr, ready_, [this](fiber_record& f) { s_.inject(f); }) > 0)
      for (const auto& p : s_.processors()) {
        p->seen.urgent = true;
        if (p->seen.stalls) worst = std::max(worst, met::stall);
        if (p->holder.load(std::memory_order_relaxed) != nullptr) p->ask_to_check();
      }
  }
  const auto retaken = static_cast<std::size_t>(retaker_.count() - retakes);
  if (retaken > 0) spares_.prepare(retaken);  // where one blocks, the next one will
  watched_ns_ = now;
  return worst;
}

void monitor::compensate(std::int64_t now) noexcept {
  if (!s_.settings().retake) return;
  const std::size_t workers = s_.workers(), serving = s_.serving();
  const std::size_t before = compensation_.wanted();
  std::size_t most =
      std::min({workers * compensation_share, compensation_most, s_.most_processors() - workers});
  if (s_.threads().running() + threads_a_processor * (before + 1) > s_.settings().max_threads / 2)
    most = std::min(most, before);
  const std::size_t wanted = compensation_.end_round(now, workers, most);
  // again, if it could not be done: no thread, no memory
  if (wanted == before &&
      (serving >= workers + wanted || now - compensated_ns_ < compensation_retry_ns))
    return;
  compensated_ns_ = now;
  resizer_.compensate(wanted);
}

// A worker that waits for a CPU looks itself when it gets one.
bool monitor::any_has_a_cpu() const noexcept {
  return std::any_of(s_.processors().begin(), s_.processors().end(), [](const auto& p) {
    return p->holder.load(std::memory_order_relaxed) != nullptr &&
           (p->seen.stalls || !p->seen.waits_for_cpu);
  });
}

// What sleepers and idle processors would look after if nothing had come between.
bool monitor::watch_idle(std::int64_t now) noexcept {
  stalls_.watch_detached(now);
  preempter_.collect_successors();
  if (s_.sleeping().idle() == 0) return false;
  bool acted = false;
  if (s_.sleeping().is_poller_vacant())
    for (const auto& p : s_.processors())
      if (p->holder.load(std::memory_order_relaxed) == nullptr) acted |= fire_late_timers(*p, now);
  if (s_.sleeping().searching() == 0 &&
      (s_.injected() > 0 || s_.sleeping().frozen_hint() > 0 || any_left_behind()))
    s_.wake_one_if_needed();
  return acted;
}

// [OWN-3] A thread with an own fiber gives up its processor with what is in its queues. And a poll
// that brings few fibers wakes nobody, but their steps may be long (processor::soon_served).
bool monitor::any_left_behind() const noexcept {
  return std::any_of(s_.processors().begin(), s_.processors().end(), [](const auto& p) {
    const bool is_held = p->holder.load(std::memory_order_relaxed) != nullptr;
    return !(is_held && p->seen.many_steps) && p->stealable() > 0;
  });
}

bool monitor::fire_late_timers(processor& p, std::int64_t now) noexcept {
  if (p.timers.earliest() > now) return false;
  fiber_record* woken[64];
  std::size_t n = 0, fired, total = 0;
  do {
    n = 0;
    fired = p.timers.try_fire(now, std::size(woken), [&](fiber_record& f) { woken[n++] = &f; });
    for (std::size_t i = 0; i < n; ++i) enqueue(*woken[i]);
    total += n;
    timers_fired_.add(fired);
  } while (fired == std::size(woken));
  return total > 0;
}

// For what is inline in the public headers (check_resched): true if a worker of ours was requested
// to yield in this round.
void monitor::count_resched_request() noexcept {
  const bool asks = std::exchange(asks_for_resched_, false);
  if (asks == std::exchange(counted_as_asking_, asks)) return;
  resched_requests.fetch_add(asks ? 1 : -1U, std::memory_order_relaxed);
}

void monitor::end() noexcept {
  ends_.store(1, std::memory_order_release);  // [LIFE-4]
  os::futex_wake(ends_, os::wake_all);
  s_.monitor_call().wake();  // [MON-1]
  if (thread_.joinable()) thread_.join();
}

}  // namespace weft::detail
