// SPDX-License-Identifier: BSL-1.0
// sched/monitor.cpp - one thread that watches the processors, and never holds one.
//
// A round looks at every busy processor's tick. The same tick as the round before means: its fiber has not come back
// to the scheduler since. Then what it keeps from others is taken care of here:
//   due timers            fired; their fibers go to the inject queue
//   next slot, claimed    put where thieves reach them, if some processor is idle (share_out)
//   the poller            a sleeper is sent there, if a processor is idle; else looked at every 2 ms
//   blocked in the kernel, others wait       the processor is retaken (retake.cpp)
//   computing past its slice, others wait    the thread is preempted (preempt.cpp). Who became ready meanwhile, by
//                         a timer or a descriptor, waits for a quarter of the slice only
// Rounds come 50 us apart after something happened, and double up to 10 ms while nothing does; earlier when a busy
// processor's timer is due or a slice ends. When all processors are idle for a while the monitor sleeps for good:
// [MON-1] asleep = 1, fence, look for a busy processor / attach, then asleep? The relaxed look of attach may miss the 1:
// the next attach, or the poller, makes up for it; nothing but a bound on lateness hangs on it.
#include <algorithm>
#include <vector>

#include "sched/door.hpp"
#include "sched/park.hpp"
#include "trace/event.hpp"

namespace weft::detail {
namespace {

constexpr std::int64_t shortest_round_ns = 50'000, longest_round_ns = 10'000'000;
constexpr std::int64_t vacant_round_ns = 1'000'000;  // nobody waits in the poller
constexpr std::int64_t poll_at_least_ns = 2'000'000;
constexpr std::int64_t undisturbed_block_ns = 10'000'000;  // nobody waits: a blocked worker keeps its processor
constexpr std::int64_t timer_grace_ns = 200'000;
constexpr std::int64_t stuck_inside_ns = 2'000'000;
constexpr std::int64_t urgent_share = 4;
constexpr int quiet_before_slowing = 20, quiet_before_sleep = 40;

}  // namespace

std::int64_t scheduler::monitor_delay(std::int64_t now, int quiet_rounds) const noexcept {
  std::int64_t delay = shortest_round_ns;
  for (int i = quiet_before_slowing; i < quiet_rounds && delay < longest_round_ns; ++i) delay *= 2;
  delay = std::min(delay, longest_round_ns);
  if (poll_until_.load(std::memory_order_relaxed) == INT64_MIN && idle_.idle() > 0)
    delay = std::min(delay, vacant_round_ns);
  for (const auto& p : processors_) {
    if (p->holder.load(std::memory_order_relaxed) == nullptr) continue;
    const std::int64_t due = p->timers.earliest();
    if (due != timer_heap::never)
      delay = std::min(delay, std::max(due + timer_grace_ns - now, shortest_round_ns));
    const std::int64_t slice = options_.time_slice.count() * 1'000'000;
    if (p->seen.cpu_ns >= 0 && slice > 0) {
      const std::int64_t ends = p->seen.since_ns + (p->seen.urgent ? slice / urgent_share : slice);
      delay = std::min(delay, std::max(ends - now, shortest_round_ns));
    }
  }
  return delay;
}

void scheduler::monitor_main() noexcept {
  os::set_thread_name(options_.name + "-mon");
  int quiet = 0;
  while (monitor_ends_.load(std::memory_order_acquire) == 0) {  // [LIFE-4] end_monitor
    if (idle_.idle() == processors_.size()) {
      if (++quiet >= quiet_before_sleep) {
        monitor_asleep_.store(1, std::memory_order_seq_cst);  // [MON-1]
        base::real_sync::heavy_fence();
        while (idle_.idle() == processors_.size() && monitor_ends_.load(std::memory_order_acquire) == 0 &&
               monitor_asleep_.load(std::memory_order_acquire) != 0)
          os::futex_wait(monitor_asleep_, 1);
        monitor_asleep_.store(0, std::memory_order_relaxed);
        quiet = quiet_before_slowing;
        continue;
      }
    } else if (watch(os::now_ns())) {
      quiet = 0;
    } else {
      quiet = std::min(quiet + 1, quiet_before_sleep - 1);
    }
    const std::int64_t now = os::now_ns();
    static_cast<void>(os::futex_wait_until(
        monitor_ends_, 0,
        std::chrono::steady_clock::time_point(
            std::chrono::nanoseconds(now + monitor_delay(now, quiet)))));
  }
}

bool scheduler::watch(std::int64_t now) noexcept {
  bool acted = false;
  // Whatever the busy ones do: nobody else looks at the timers of an idle processor.
  if (poll_until_.load(std::memory_order_relaxed) == INT64_MIN && idle_.idle() > 0) appoint_poller();
  for (const auto& p : processors_) acted |= watch_processor(*p, now);
  collect_successors();
  if (poller_->in_use() && now - polled_at_.load(std::memory_order_relaxed) > poll_at_least_ns &&
      poll_until_.load(std::memory_order_relaxed) == INT64_MIN) {
    poll_source::batch ready;
    poller_->poll(0, ready);
    polled_at_.store(now, std::memory_order_relaxed);
    for (fiber_record* f : ready) inject(*f);
    if (!ready.empty()) {
      acted = true;
      for (const auto& p : processors_) p->seen.urgent = true;
    }
  }
  return acted;
}

bool scheduler::others_wait(processor& p) noexcept {
  return p.local.size() > 0 || p.local.claimed_hint() || p.next.load(std::memory_order_relaxed) != nullptr ||
         injected_size_.load(std::memory_order_relaxed) > 0 ||
         frozen_count_.load(std::memory_order_relaxed) > 0;
}

bool scheduler::fire_late_timers(processor& p, std::int64_t now) noexcept {
  if (p.timers.earliest() > now) return false;
  std::vector<fiber_record*> woken;
  p.timers.fire(now, 256, [&](fiber_record& f) { woken.push_back(&f); });
  for (fiber_record* f : woken) {
    if (f->has(fiber_record::is_thread) || f->home != this)
      enqueue(*f);
    else
      inject(*f);
  }
  return !woken.empty();
}

bool scheduler::watch_processor(processor& p, std::int64_t now) noexcept {
  const std::uint32_t tick = p.tick.load(std::memory_order_relaxed);
  worker* w = p.holder.load(std::memory_order_relaxed);
  if (w == nullptr || tick != p.seen.tick) {
    p.seen = {tick, now};
    return false;
  }
  if (w->gate.inside())
    return frozen_count_.load(std::memory_order_relaxed) > 0 && now - p.seen.since_ns > stuck_inside_ns &&
           os::thread_sleeps(w->thread_id) && thaw_detached();  // [PREEMPT-3]
  bool acted = false;
  if (fire_late_timers(p, now)) p.seen.urgent = acted = true;
  if (idle_.idle() > 0) acted |= share_out(p);
  if (!w->started.load(std::memory_order_acquire)) return acted;  // [MON-2] worker_main

  // Blocked, or computing? Its CPU clock tells; its state tells apart who merely waits for a CPU.
  const std::int64_t cpu = w->cpu.now_ns();
  const bool first_look = p.seen.cpu_ns < 0;
  const bool stands_still = !first_look && cpu - p.seen.cpu_ns < 5'000;
  p.seen.cpu_ns = cpu;
  if (first_look) return true;  // a closer look in 50 us
  const std::int64_t held_for = now - p.seen.since_ns;
  const bool wait = others_wait(p);
  if (stands_still) {
    const bool idle_elsewhere = idle_.idle() > 0 || idle_.searching() > 0;
    if (!options_.retake) return acted;
    if (!wait && idle_elsewhere && held_for < undisturbed_block_ns && p.timers.earliest() > now + 1'000'000)
      return acted;
    if (!os::thread_sleeps(w->thread_id)) return acted;
    return retake(p, *w) || acted;
  }
  const std::int64_t slice = options_.time_slice.count() * 1'000'000;
  if (slice == 0 || options_.preempt_signal == 0) return acted;
  const std::int64_t allowed = p.seen.urgent ? slice / urgent_share : slice;
  if (!wait || held_for < allowed) return acted;
  w->attention.store(1, std::memory_order_relaxed);  // a fiber that does call weft yields by itself
  ask_to_preempt(p, *w);
  return true;
}

// The holder is busy in user code with a fiber or two that only it could run, while others are idle.
bool scheduler::share_out(processor& p) noexcept {
  worker* w = p.holder.load(std::memory_order_relaxed);
  if (w == nullptr) return false;
  if (p.next.load(std::memory_order_relaxed) == nullptr && !p.local.claimed_hint()) {
    if (p.local.size() > 0) wake_one_if_needed();
    return false;
  }
  if (!w->gate.try_take(&p)) return false;  // GATE-1: p is ours until give_back
  p.local.unclaim();
  if (fiber_record* f = p.next.load(std::memory_order_relaxed)) {
    p.next.store(nullptr, std::memory_order_relaxed);
    p.local.push(f);
  }
  w->gate.give_back(&p);
  wake_one_if_needed();
  return true;
}

void scheduler::rouse_monitor() noexcept {
  if (monitor_asleep_.exchange(0, std::memory_order_acq_rel) != 0) os::futex_wake(monitor_asleep_, 1);
}

void scheduler::end_monitor() noexcept {
  monitor_ends_.store(1, std::memory_order_release);  // [LIFE-4]
  os::futex_wake(monitor_ends_, os::wake_all);
  monitor_asleep_.store(0, std::memory_order_release);
  os::futex_wake(monitor_asleep_, os::wake_all);
  if (monitor_.joinable()) monitor_.join();
}

}  // namespace weft::detail
