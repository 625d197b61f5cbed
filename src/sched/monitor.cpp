// SPDX-License-Identifier: BSL-1.0
// sched/monitor.cpp - one thread that watches the processors, and never holds one.
//
// A round looks at every busy processor's tick. If the tick is the same as in the round before, its
// fiber has not come back to the scheduler since. Then the monitor does what that processor's
// holder would do for others:
//
//   due timers            fired; their fibers go to the inject queue
//   next slot, claimed    put where thieves reach them, if some processor is idle (share_out)
//   the poller            a sleeper is sent there, if a processor is idle; else looked at every 2
//                         ms, 4 while no fiber stalls
//   blocked in the kernel, others wait       the processor is retaken (retake.cpp)
//   computing past its slice, others wait    the thread is preempted (preempt.cpp). Fibers that
//                         became ready meanwhile, by a timer or a descriptor, wait for a quarter of
//                         the slice only
//   a sleeper overlooked  wakes, if there is work: one that was reserved could not be woken
//                         (retire, wake_one)
//   affinity, CPU quota   read again once a second (resize.cpp)
//   a stack without guard looked at (stack_look.cpp)
//   many idle stacks      the service thread gives their memory back (fiber/stack_trim.hpp)
//
// It never allocates, blocks or calls the user: see service_thread.cpp [MON-3].
//
// Rounds come 50 us apart after a retake. Without one the distance doubles up to 1 ms, and is 4 ms
// after 0.1 s of that. A fiber that blocks is noticed that late, for 15 us of a CPU a round. If a
// fiber blocks for less than that, again and again, the quick rounds come back (blocks_in_bits); a
// second look follows after 50 us. Timers and ends of slices are kept on time. If all processors
// are idle for a while, the monitor sleeps until one is busy: [MON-1] asleep = 1, fence, look for a
// busy processor / attach, then asleep? The relaxed look of attach may miss the 1. Then the next
// attach, or the poller, makes up for it: only a bound on lateness depends on it.
#include <algorithm>
#include <iterator>
#include <utility>

#include <weft/detail/waiting.hpp>

#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "sched/stack_check.hpp"
#include "trace/recorder.hpp"

namespace weft::detail {
namespace {

constexpr std::int64_t shortest_round_ns = 50'000, longest_round_ns = 1'000'000,
                       quiet_round_ns = 4'000'000;
constexpr std::int64_t poll_at_least_ns = 2'000'000;
// nothing waits: a blocked worker keeps its processor
constexpr std::int64_t undisturbed_block_ns = 10'000'000;
constexpr std::int64_t timer_grace_ns = 200'000, timer_grace_with_many_steps_ns = 1'000'000;
constexpr std::uint32_t many_steps_a_round = 64;  // in a round: about one look at the timers
constexpr std::int64_t quick_rounds_again_ns = 24'000'000;
// longer: it may just wait for a new thread's first turn on a CPU
constexpr std::int64_t stuck_service_ns = 20'000'000;
constexpr std::int64_t urgent_share = 4;
// Fibers whose wait is over: a mutex's next owner, for one, is promised its turn after a
// millisecond.
constexpr std::int64_t ready_patience_ns = 1'000'000;
constexpr int quiet_before_slowing = 20, quiet_before_sleep = 40, quiet_before_quiet_rounds = 150;
// A server idles for moments thousands of times a second; to sleep at each is to be roused, by a
// worker, right after.
constexpr int idle_before_sleep = 10;
// rounds in which a processor's clock is read at first sight, not at the second
constexpr int rounds_after_retake = 200;
constexpr std::int64_t first_ask_pause_ns = 200'000, longest_ask_pause_ns = 10'000'000;

// How long a fiber runs before it is asked to give way.
std::int64_t patience(const processor& p, std::int64_t slice) noexcept {
  return p.somebody_is_ready() ? std::min(slice / urgent_share, ready_patience_ns)
                               : slice / urgent_share;
}

}  // namespace

std::int64_t scheduler::monitor_delay(std::int64_t now, int quiet_rounds) const noexcept {
  std::int64_t delay = shortest_round_ns;
  for (int i = quiet_before_slowing; i < quiet_rounds && delay < longest_round_ns; ++i) delay *= 2;
  std::int64_t next =
      now + (quiet_rounds < quiet_before_quiet_rounds ? std::min(delay, longest_round_ns)
                                                      : quiet_round_ns);
  const bool vacant = poll_until_.load(std::memory_order_relaxed) == INT64_MIN;
  const std::int64_t slice = span_ns(options_.time_slice);
  for (const auto& p : processors()) {
    if (vacant || p->holder.load(std::memory_order_relaxed) != nullptr)
      if (const std::int64_t due = p->timers.earliest(); due != timer_queue::never)
        next = std::min(next,
                        std::max(due, now) +  // overdue: its holder is behind, but alive
                            (p->seen.many_steps ? timer_grace_with_many_steps_ns : timer_grace_ns));
    if (p->seen.read_again) next = std::min(next, now + shortest_round_ns);
    if (p->seen.others_waited && slice > 0) {
      const std::int64_t asks = p->seen.since_ns + patience(*p, slice);
      const std::int64_t ends = p->seen.urgent || asks > now ? asks : p->seen.since_ns + slice;
      next = std::min(next, std::max(ends, p->seen.ask_ns));
    }
  }
  return std::max(next - now, shortest_round_ns);
}

void scheduler::monitor_main() noexcept {
  os::set_thread_name(options_.name, "-mon");
  trace::thread_begins(trace::thread_role::monitor, number_, 0);
  os::prefer_short_waits();
  set_on_monitor();
  int quiet = 0, idle = 0;
  while (monitor_ends_.load(std::memory_order_acquire) == 0) {  // [LIFE-4] end_monitor
    trace::time_has_passed();
    watch_cpus(os::now_ns());
    watch_idle_stacks();
    const bool all_idle = idle_.idle() == counts_.serving();
    idle = all_idle ? idle + 1 : 0;
    if (all_idle) {
      count_resched_request();
      if (++quiet >= quiet_before_sleep && idle >= idle_before_sleep && may_sleep()) {
        monitor_asleep_.store(1, std::memory_order_seq_cst);  // [MON-1]
        base::real_sync::heavy_fence();
        sleep_until_busy();
        monitor_asleep_.store(0, std::memory_order_relaxed);
        quiet = quiet_before_slowing;
        continue;
      }
      watch_idle(os::now_ns());
    } else if (watch(os::now_ns())) {
      quiet = 0;
    } else {
      quiet = std::min(quiet + 1, quiet_before_quiet_rounds);
    }
    const std::int64_t now = os::now_ns();
    static_cast<void>(
        os::futex_wait_until(monitor_ends_, 0, steady_at(now + monitor_delay(now, quiet))));
  }
  asks_to_make_way_ = false;
  count_resched_request();
}

// Once, if it takes long, it has the service thread check whether it ever will be.
void scheduler::sleep_until_busy() noexcept {
  bool looks = options_.on_deadlock != deadlock_policy::ignore;
  const std::int64_t look_at = os::now_ns() + span_ns(options_.deadlock_after);
  while (idle_.idle() == counts_.serving() && monitor_ends_.load(std::memory_order_acquire) == 0 &&
         monitor_asleep_.load(std::memory_order_acquire) != 0) {
    if (!looks) {
      os::futex_wait(monitor_asleep_, 1);
    } else if (!os::futex_wait_until(monitor_asleep_, 1, steady_at(look_at))) {
      looks = false;
      if (live_fibers() == 0) continue;
      idle_too_long_.store(true, std::memory_order_release);  // service_main
      wake_service_thread();
    }
  }
}

// Everything is idle: true if a worker in the poller keeps the deadlines, and no stall is left to
// report.
bool scheduler::may_sleep() noexcept {
  if (poll_until_.load(std::memory_order_relaxed) == INT64_MIN) {
    static_cast<void>(appoint_poller());
    return false;
  }
  release_prepared();
  if (successors_ > 0) return false;
  // Nor while the service thread is about to answer: what it finds is acted on in rounds that
  // follow [SERVICE-3].
  return detached_.empty() && counts_.surplus() == 0 &&
         !cpus_due_.load(std::memory_order_acquire) &&
         service_busy_since_.load(std::memory_order_relaxed) == 0;
}

bool scheduler::watch(std::int64_t now) noexcept {
  const std::uint64_t retakes = retakes_.load(std::memory_order_relaxed);
  bool acted = stress_.load(std::memory_order_relaxed) != 0;
  // Whatever the busy ones do: no other thread looks at the timers of an idle processor.
  if (poll_until_.load(std::memory_order_relaxed) == INT64_MIN && idle_.idle() > 0)
    // a vacancy is no fiber's stall: no reason for quick rounds
    static_cast<void>(appoint_poller());
  for (const auto& p : processors()) acted |= watch_processor(*p, now);
  count_resched_request();
  acted |= watch_idle(now);
  if (std::int64_t since = service_busy_since_.load(std::memory_order_relaxed);
      since != 0 && now - since > stuck_service_ns && any_frozen() &&
      // one at a time
      service_busy_since_.compare_exchange_strong(since, now, std::memory_order_relaxed) &&
      // not for want of a CPU
      aide_stat_.look(service_thread_id_.load(std::memory_order_relaxed)) !=
          os::thread_activity::runs)
    acted |= thaw_detached();  // [PREEMPT-3]
  if (poller_->in_use() && now - polled_at_.load(std::memory_order_relaxed) > poll_at_least_ns &&
      poll_until_.load(std::memory_order_relaxed) == INT64_MIN) {
    poller_->poll(0, watched_ready_);
    polled_at_.store(now, std::memory_order_relaxed);
    monitor_counters_.polls.add();
    monitor_counters_.poll_events.add(watched_ready_.size());
    for (fiber_record* f : watched_ready_) {
      trace_ready(nullptr, *f, 0);
      inject(*f);
    }
    if (!watched_ready_.empty()) {
      acted = true;
      for (const auto& p : processors()) {
        p->seen.urgent = true;
        if (p->holder.load(std::memory_order_relaxed) != nullptr) p->ask_to_check();
      }
    }
    watched_ready_.clear();
  }
  const auto retaken = static_cast<std::size_t>(retakes_.load(std::memory_order_relaxed) - retakes);
  if (retaken > 0) {
    rounds_after_retake_ = rounds_after_retake;
    prepare_spares(retaken);  // where one blocks, the next one will
  } else if (rounds_after_retake_ > 0) {
    --rounds_after_retake_;
  }
  watched_ns_ = now;
  return acted;
}

// What sleepers and idle processors would look after if nothing had come between.
bool scheduler::watch_idle(std::int64_t now) noexcept {
  watch_detached(now);
  collect_successors();
  if (idle_.idle() == 0) return false;
  bool acted = false;
  if (poll_until_.load(std::memory_order_relaxed) == INT64_MIN)
    for (const auto& p : processors())
      if (p->holder.load(std::memory_order_relaxed) == nullptr) acted |= fire_late_timers(*p, now);
  if (idle_.searching() == 0 &&
      (injected_size_.load(std::memory_order_relaxed) > 0 ||
       frozen_count_.load(std::memory_order_relaxed) > 0 || left_behind()))
    wake_one_if_needed();
  return acted;
}

// [OWN-3] A thread with an own fiber gives up its processor with what is in its queues.
bool scheduler::left_behind() const noexcept {
  return std::any_of(processors().begin(), processors().end(), [](const auto& p) {
    return p->holder.load(std::memory_order_relaxed) == nullptr && p->stealable() > 0;
  });
}

bool scheduler::others_wait(processor& p) noexcept {
  return p.has_waiting() || injected_size_.load(std::memory_order_relaxed) > 0 ||
         frozen_count_.load(std::memory_order_relaxed) > 0;
}

bool scheduler::fire_late_timers(processor& p, std::int64_t now) noexcept {
  if (p.timers.earliest() > now) return false;
  fiber_record* woken[64];
  std::size_t n = 0, fired, total = 0;
  do {
    n = 0;
    fired = p.timers.try_fire(now, std::size(woken), [&](fiber_record& f) { woken[n++] = &f; });
    for (std::size_t i = 0; i < n; ++i) enqueue(*woken[i]);
    total += n;
    monitor_counters_.timers_fired.add(fired);
  } while (fired == std::size(woken));
  return total > 0;
}

bool scheduler::watch_processor(processor& p, std::int64_t now) noexcept {
  const std::uint32_t tick = p.tick.load(std::memory_order_relaxed);
  p.round_ns.store(now, std::memory_order_relaxed);
  worker* w = p.holder.load(std::memory_order_relaxed);
  if (w == nullptr || tick != p.seen.tick) {
    const std::int64_t thawed = p.thawed_ns.load(std::memory_order_relaxed);
    const bool many_steps = w != nullptr && tick - p.seen.tick >= many_steps_a_round;
    p.seen = {tick, thawed > watched_ns_ ? thawed : now};
    p.seen.many_steps = many_steps;
    p.seen.moved_ns = now;
    // its steps have become longer
    if (w != nullptr && p.timers.earliest() <= now) p.ask_to_check();
    if (rounds_after_retake_ > 0 && w != nullptr && w->started.load(std::memory_order_acquire) &&
        !w->gate.inside())
      p.seen.cpu_ns = w->cpu.now_ns();
    if (w != nullptr)
      if (const std::uint32_t storm = stress_.load(std::memory_order_relaxed)) [[unlikely]]
        return apply_stress(p, *w, storm);
    return w != nullptr && blocks_in_bits(p, *w, now);
  }
  if (const std::uint32_t storm = stress_.load(std::memory_order_relaxed)) [[unlikely]]
    if (apply_stress(p, *w, storm)) return true;
  if (w->gate.inside()) {  // for moments: it calls weft again and again, and never has to wait
    if (fire_late_timers(p, now)) p.seen.urgent = true;
    p.seen.others_waited = others_wait(p);
    request_resched(p, *w, now);
    return stuck_inside(p, *w, now) && thaw_detached();  // [PREEMPT-3]
  }
  p.seen.inside_looks = 0;
  bool acted = false;
  if (idle_.idle() > 0) acted |= share_out(p);
  if (fire_late_timers(p, now)) {
    p.seen.urgent = true;
    p.ask_to_check();
  }
  if (!w->started.load(std::memory_order_acquire)) return acted;  // [MON-2] worker_main

  // Its CPU clock shows whether it is blocked or computes; its state distinguishes a thread that
  // merely waits for a CPU.
  const std::int64_t cpu = w->cpu.now_ns();
  const bool first_look = p.seen.cpu_ns < 0;
  const bool stands_still = !first_look && cpu - p.seen.cpu_ns < 5'000;
  p.seen.cpu_ns = cpu;
  if (!stands_still) p.seen.moved_ns = now;
  watch_stall(p, *w, now, cpu, stands_still);
  if (stacks_are_checked.load(std::memory_order_relaxed)) [[unlikely]]
    snapshot_running(p, *w);
  p.seen.read_again = first_look;
  if (first_look) return acted;
  const std::int64_t held_for = now - p.seen.since_ns;
  p.seen.others_waited = others_wait(p) || (p.index != 0 && counts_.surplus() > 0);
  if (stands_still) {
    const bool idle_elsewhere = idle_.idle() > 0 || idle_.searching() > 0;
    const bool undisturbed = !p.seen.others_waited && idle_elsewhere &&
                             held_for < undisturbed_block_ns &&
                             p.timers.earliest() > now + 1'000'000;
    if (undisturbed) return acted;
    switch (activity_of(*w, now - p.seen.moved_ns)) {
      case os::thread_activity::sleeps:
        return unblock(p, *w, now) || acted;
      case os::thread_activity::unknown:
        return acted;  // not yet: a signal might strike its call
      // it waits for a CPU: what is asked of it now it does when it gets one
      case os::thread_activity::runs:
        break;
    }
  }
  const std::int64_t slice = span_ns(options_.time_slice);
  if (slice == 0 || !p.seen.others_waited) return acted;
  request_resched(p, *w, now);
  if (held_for < (p.seen.urgent ? slice / urgent_share : slice) || now < p.seen.ask_ns)
    return acted;
  p.seen.ask_pause = std::clamp(p.seen.ask_pause * 2, first_ask_pause_ns, longest_ask_pause_ns);
  p.seen.ask_ns = now + p.seen.ask_pause;
  // One that blocks again and again, for moments, would see EINTR from a signal.
  if (w->activity() == os::thread_activity::sleeps) return unblock(p, *w, now) || acted;
  if (options_.preempt_signal != 0 && !ask_to_preempt(p, *w)) p.seen.ask_ns = now;
  return acted;
}

// First without a signal: a fiber that makes calls that may park yields at the next one
// (yield_if_requested), and is never stopped. At once, if a timer or a descriptor became ready, or
// a fiber came from outside: it costs a yield. After a millisecond, if another's wait is over.
void scheduler::request_resched(processor& p, worker& w, std::int64_t now) noexcept {
  const std::int64_t slice = span_ns(options_.time_slice);
  const bool soon = p.seen.urgent || injected_size_.load(std::memory_order_relaxed) > 0;
  if (slice == 0 || !others_wait(p) || (!soon && now - p.seen.since_ns < patience(p, slice)))
    return;
  w.resched_requested.store(1, std::memory_order_relaxed);
  asks_to_make_way_ = true;
}

// For what is inline in the public headers (check_resched): true if a worker of ours was requested
// to yield in this round.
void scheduler::count_resched_request() noexcept {
  const bool asks = std::exchange(asks_to_make_way_, false);
  if (asks == std::exchange(counted_as_asking_, asks)) return;
  resched_requests.fetch_add(asks ? 1 : -1U, std::memory_order_relaxed);
}

// A round in ten, so about a thousand times a second. Neither protocol asks whether it was worth
// it: a retake takes the processor of any worker in user code, a preemption freezes any fiber that
// may be.
bool scheduler::apply_stress(processor& p, worker& w, std::uint32_t storm) noexcept {
  if (stress_random_.below(10) != 0 || !w.started.load(std::memory_order_acquire)) return false;
  const bool takes =
      storm == stress_retakes || (storm != stress_preempts && stress_random_.below(2) == 0);
  if (takes) return retake(p, w);
  static_cast<void>(ask_to_preempt(p, w));
  return true;
}

// Rounds 4 ms apart never see the same tick twice of one that blocks for a millisecond at a time,
// call after call. But its CPU clock has stood for much of the time, others wait, and it is asleep
// in user code: that is no wait for a CPU. True, at most once in a while, in case its blocks turn
// out too short to be retaken: quick rounds are worth a try.
bool scheduler::blocks_in_bits(processor& p, worker& w, std::int64_t now) noexcept {
  if (!options_.retake || now < bits_not_before_ns_ || !w.started.load(std::memory_order_acquire))
    return false;
  if (w.gate.inside() || !others_wait(p)) return false;
  if (p.stretch.of == &w && now - p.stretch.since_ns < longest_round_ns) return false;
  const struct processor::stretch before = std::exchange(p.stretch, {&w, w.cpu.now_ns(), now});
  if (before.of != &w || 4 * (p.stretch.cpu_ns - before.cpu_ns) > 3 * (now - before.since_ns))
    return false;
  if (w.activity() != os::thread_activity::sleeps) return false;
  bits_not_before_ns_ = now + quick_rounds_again_ns;
  rounds_after_retake_ = rounds_after_retake;
  return true;
}

// The holder is busy in user code with a fiber or two that only it could run, while others are
// idle.
bool scheduler::share_out(processor& p) noexcept {
  worker* w = p.holder.load(std::memory_order_relaxed);
  if (w == nullptr) return false;
  if (p.next.load(std::memory_order_relaxed) == nullptr && p.claimed_hint() == 0) {
    if (p.stealable() > 0) wake_one_if_needed();
    return false;
  }
  if (!w->gate.try_take(&p)) return false;  // LEASE-1: p is ours until give_back
  p.share();
  w->gate.give_back(&p);
  wake_one_if_needed();
  return true;
}

void scheduler::rouse_monitor() noexcept {
  if (monitor_asleep_.exchange(0, std::memory_order_acq_rel) != 0)
    os::futex_wake(monitor_asleep_, 1);
}

void scheduler::end_monitor() noexcept {
  monitor_ends_.store(1, std::memory_order_release);  // [LIFE-4]
  os::futex_wake(monitor_ends_, os::wake_all);
  monitor_asleep_.store(0, std::memory_order_release);
  os::futex_wake(monitor_asleep_, os::wake_all);
  if (monitor_.joinable()) monitor_.join();
}

}  // namespace weft::detail
