// SPDX-License-Identifier: BSL-1.0
// watch/processor_watch.cpp - the monitor looks at one processor, and finds out whether its holder
// is blocked, computing, or about to come back.
#include "watch/monitor.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <weft/detail/waiting.hpp>

#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "sched/stack_check.hpp"
#include "watch/round_times.hpp"

namespace weft::detail {

bool monitor::others_wait(processor& p) noexcept {
  return p.has_waiting() || s_.injected() > 0 || s_.sleeping().frozen_hint() > 0;
}

monitor::met monitor::watch_processor(processor& p, std::int64_t now) noexcept {
  const std::uint32_t tick = p.tick.load(std::memory_order_relaxed);
  p.round_ns.store(now, std::memory_order_relaxed);
  worker* w = p.holder.load(std::memory_order_acquire);  // [LIFE-5] attach
  // Inactive, perhaps, with deadlines for which there was no memory to move them [TIMER-4].
  if (w == nullptr && p.timers.earliest() <= now - timer_grace_ns) fire_late_timers(p, now);
  if (w == nullptr || tick != p.seen.tick) {
    const std::int64_t thawed = p.thawed_ns.load(std::memory_order_relaxed);
    const bool many_steps = w != nullptr && tick - p.seen.tick >= many_steps_a_round;
    p.seen = {tick, thawed > watched_ns_ ? thawed : now};
    p.seen.many_steps = many_steps;
    p.seen.moved_ns = now;
    // its steps have become longer
    if (w != nullptr && p.timers.earliest() <= now) p.ask_to_check();
    if (w != nullptr && w->started.load(std::memory_order_acquire) && !w->gate.inside())
      p.seen.cpu_ns = w->cpu.now_ns();
    if (w != nullptr)
      if (const std::uint32_t stress = stress_.load(std::memory_order_relaxed)) [[unlikely]]
        return apply_stress(p, *w, stress) ? met::block : met::nothing;
    return w != nullptr && blocks_briefly(p, *w, now) ? met::block : met::nothing;
  }
  p.seen.stalls = true;
  if (const std::uint32_t stress = stress_.load(std::memory_order_relaxed)) [[unlikely]]
    if (apply_stress(p, *w, stress)) return met::block;
  if (w->gate.inside()) {  // for moments: it calls weft again and again, and never has to wait
    if (fire_late_timers(p, now)) p.seen.urgent = true;
    p.seen.others_waited = others_wait(p);
    request_resched(p, *w, now);
    return thawer_.stuck_inside(p, *w, now) && thawer_.thaw_detached() ? met::block  // [PREEMPT-3]
                                                                       : met::nothing;
  }
  p.seen.inside_looks = 0;
  p.seen.waits_for_cpu = false;
  const bool shared = s_.sleeping().idle() > 0 && share_out(p);
  if (fire_late_timers(p, now)) {
    p.seen.urgent = true;
    p.ask_to_check();
  }
  // [MON-2] worker_main
  if (w->started.load(std::memory_order_acquire) && watch_step(p, *w, now)) return met::block;
  return shared && p.seen.stalls ? met::stall : met::nothing;
}

// The holder is in user code, and in the same step as in the round before. True: it was blocked,
// and something was done about it.
bool monitor::watch_step(processor& p, worker& w, std::int64_t now) noexcept {
  // The thread's CPU clock shows whether it is blocked or computing. Its state distinguishes a
  // thread that merely waits for a CPU.
  const std::int64_t cpu = w.cpu.now_ns();
  const bool first_look = p.seen.cpu_ns < 0;
  const std::int64_t ran = first_look ? 0 : cpu - p.seen.cpu_ns;
  const bool stands_still = !first_look && ran < 5'000;
  p.seen.cpu_ns = cpu;
  if (!stands_still) p.seen.moved_ns = now;
  stalls_.watch(p, w, now, cpu, stands_still);
  if (stacks_are_checked.load(std::memory_order_relaxed)) [[unlikely]]
    snapshot_running(p, w);
  if (!stands_still) found_computing(p, w, now);
  const bool second_look = std::exchange(p.seen.looked, true);
  p.seen.look_again = first_look;
  if (first_look) return false;
  const std::int64_t since_last = now - watched_ns_;
  const std::int64_t gap = since_last - std::clamp<std::int64_t>(ran, 0, since_last);
  bool waited = false;  // in the gap, for a CPU
  const std::int64_t held_for = now - p.seen.since_ns;
  p.seen.others_waited = others_wait(p) || (p.index != 0 && s_.counts().surplus() > 0);
  if (stands_still) {
    const bool idle_elsewhere = s_.sleeping().idle() > 0 || s_.sleeping().searching() > 0;
    const bool undisturbed = !p.seen.others_waited && idle_elsewhere &&
                             held_for < undisturbed_block_ns &&
                             p.timers.earliest() > now + 1'000'000;
    if (undisturbed) return false;
    switch (thawer_.activity_of(w, now - p.seen.moved_ns)) {
      case os::thread_activity::sleeps:
        return thawer_.unblock(p, w, now);
      case os::thread_activity::unknown:
        return false;  // not yet: a signal might strike its call
      case os::thread_activity::runs:
        // What is asked of it now it does when it gets a CPU. Another thread in its place would
        // wait, too.
        p.seen.waits_for_cpu = waited = true;
        break;
    }
  } else if (!second_look || gap > since_last / 4) {
    // A fiber that sleeps for moments, again and again, is seen asleep at most looks, and moving at
    // all. Its sleep is part of its slice: others wait meanwhile.
    waited = w.activity() == os::thread_activity::runs;
    p.seen.look_again = !second_look && !waited;
  }
  if (waited) p.seen.waited_ns += gap;
  p.seen.stalls = !waited || gap <= since_last / 4;
  const std::int64_t slice = span_ns(s_.settings().time_slice);
  if (slice == 0 || !p.seen.others_waited) return false;
  request_resched(p, w, now);
  if (now - p.seen.ran_since_ns() < (p.seen.urgent ? slice / urgent_share : slice) ||
      now < p.seen.ask_ns || p.seen.waits_for_cpu)
    return false;
  p.seen.ask_pause = std::clamp(p.seen.ask_pause * 2, first_ask_pause_ns, longest_ask_pause_ns);
  p.seen.ask_ns = now + p.seen.ask_pause;
  // One that blocks again and again, for moments, would see EINTR from a signal.
  if (w.activity() == os::thread_activity::sleeps) return thawer_.unblock(p, w, now);
  if (s_.settings().preempt_signal != 0 && !preempter_.ask(p, w)) p.seen.ask_ns = now;
  return false;
}

// First without a signal: a fiber that makes calls that may park yields at the next one
// (yield_if_requested), and is never stopped. At once, if a timer or a descriptor became ready, or
// a fiber came from outside: it costs a yield. After a millisecond, if another's wait is over.
void monitor::request_resched(processor& p, worker& w, std::int64_t now) noexcept {
  const std::int64_t slice = span_ns(s_.settings().time_slice);
  const bool soon = p.seen.urgent || s_.injected() > 0;
  if (slice == 0 || !others_wait(p) || (!soon && now - p.seen.ran_since_ns() < patience(p, slice)))
    return;
  w.resched_requested.store(1, std::memory_order_relaxed);
  asks_for_resched_ = true;
}

// A round in ten, so about a thousand times a second. Neither protocol asks whether it was worth
// it: a retake takes the processor of any worker in user code, a preemption freezes any fiber that
// may be.
bool monitor::apply_stress(processor& p, worker& w, std::uint32_t stress) noexcept {
  if (stress_random_.below(10) != 0 || !w.started.load(std::memory_order_acquire)) return false;
  const bool takes =
      stress == stress_retakes || (stress != stress_preempts && stress_random_.below(2) == 0);
  if (takes) return retaker_.retake(p, w);
  static_cast<void>(preempter_.ask(p, w));
  return true;
}

// Rounds 4 ms apart never see the same tick twice of one that blocks for a millisecond at a time,
// call after call. But its CPU clock has stood for much of the time, others wait, and it is asleep
// in user code: that is no wait for a CPU. True, at most once in a while, in case its blocks turn
// out too short to be retaken: quick rounds are worth a try.
bool monitor::blocks_briefly(processor& p, worker& w, std::int64_t now) noexcept {
  if (!s_.settings().retake || !w.started.load(std::memory_order_acquire)) return false;
  if (!others_wait(p)) return false;
  if (p.stretch.of == &w && now - p.stretch.since_ns < longest_round_ns) return false;
  const struct processor::stretch before = std::exchange(p.stretch, {&w, w.cpu.now_ns(), now});
  if (before.of != &w) return false;
  const bool blocks = 4 * (p.stretch.cpu_ns - before.cpu_ns) <= 3 * (now - before.since_ns) &&
                      !w.gate.inside() && w.activity() == os::thread_activity::sleeps;
  // A fiber that was preempted waits for a CPU, not for others to come back: one more processor
  // would only run it beside those that run already.
  compensation_.looked(blocks && s_.sleeping().frozen_hint() == 0);
  if (!blocks || now < brief_blocks_not_before_ns_) return false;
  brief_blocks_not_before_ns_ = now + quick_rounds_again_ns;
  return true;
}

// One look a millisecond.
void monitor::found_computing(processor& p, worker& w, std::int64_t now) noexcept {
  if (p.stretch.of == &w && now - p.stretch.since_ns < longest_round_ns) return;
  p.stretch = {&w, w.cpu.now_ns(), now};
  compensation_.looked(false);
}

// The holder is busy in user code with a fiber or two that only it could run, while others are
// idle.
bool monitor::share_out(processor& p) noexcept {
  worker* w = p.holder.load(std::memory_order_acquire);  // [LIFE-5] attach
  if (w == nullptr) return false;
  if (p.next.load(std::memory_order_relaxed) == nullptr && p.claimed_hint() == 0) {
    if (p.stealable() > 0) s_.wake_one_if_needed();
    return false;
  }
  if (!w->gate.try_take(&p)) return false;  // LEASE-1: p is ours until give_back
  p.share();
  w->gate.give_back(&p);
  s_.wake_one_if_needed();
  return true;
}

}  // namespace weft::detail
