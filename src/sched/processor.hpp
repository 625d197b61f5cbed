// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/processor.hpp - the right to run fibers, and what goes with it.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bias_owner.hpp"
#include "base/cache_line.hpp"
#include "base/counter.hpp"
#include "fiber/record.hpp"
#include "sched/run_queue.hpp"
#include "sched/service_order.hpp"
#include "sched/timer_queue.hpp"

namespace weft::detail {

struct worker;

/// At the start of a run of fibers that have waited: their records, and the pages their stacks are
/// at. Stacks are far apart, so each costs a walk of the page tables, for which even a prefetch
/// waits; side by side these walks overlap.
[[gnu::noinline]] void prefetch_run(const deque<fiber_record*>& of) noexcept;
/// The same for one that a poll has brought, whose stack may be two pages deep.
void prefetch_pages(const fiber_record& f) noexcept;

struct alignas(base::cache_line) processor {
  explicit processor(std::uint32_t i) : index(i) {}

  // Steps between two looks at the inject queue, the timers and the poller; halved while they come
  // too rarely.
  static constexpr std::uint32_t longest_check = 61, shortest_check = 1;
  static constexpr std::int64_t check_every_ns = 100'000;

  // ---- the holder; others read the atomics as hints
  std::atomic<fiber_record*> next{nullptr};  // readied last; relaxed: only the holder writes
  service_order order;                       // which fiber it serves next
  std::atomic<std::uint32_t> tick{0};        // scheduling steps; relaxed: the holder writes
  // the ticks so far, without end; counted now and then (count_steps)
  base::counter steps;
  std::uint32_t counted_tick = 0;
  // relaxed: the monitor may have it earlier (ask_to_check)
  std::atomic<std::uint32_t> check_at{longest_check};
  std::uint32_t check_interval = longest_check;
  std::int64_t checked_ns = 0;
  // so many steps take check_every_ns, as they were lately: a guess. And since when and which tick
  // they have not been measured
  std::uint32_t steps_in_time = 1, measured_tick = 0;
  std::int64_t measured_ns = 0;
  // found on a fiber's stack, and bound elsewhere: for the loop, before all others
  fiber_record* set_aside = nullptr;
  // waits for offloaded calls that were short enough lately
  std::int32_t offload_spin_luck = 1;
  std::uint32_t offload_spins_skipped = 0;
  // ORDER-8: the processor it watches, and since when that one is at which tick
  std::uint32_t watched = 0, watched_tick = 0;
  std::int64_t watched_since_ns = 0;
  // when a preempted thread last got it; relaxed: the monitor looks
  std::atomic<std::int64_t> thawed_ns{0};

  // the monitor's last round, or when it was attached: the time, to that; relaxed
  std::atomic<std::int64_t> round_ns{0};

  // ---- the monitor's
  struct sight {
    std::uint32_t tick = UINT32_MAX;  // none yet
    std::int64_t since_ns = 0;        // when the tick was first seen
    std::int64_t waited_ns = 0;       // since then, for a CPU
    std::int64_t cpu_ns = -1;         // the holder's CPU clock at the last look; -1 not read yet
    bool urgent = false;              // timers or descriptors became ready meanwhile
    // many steps since the round before: it looks at its timers itself
    bool many_steps = false;
    bool looked = false;      // since then
    bool look_again = false;  // it may just have begun to block: a second look follows soon
    bool waits_for_cpu = false;
    bool stalls = false;  // the same tick again, and it does not wait for a CPU
    bool others_waited = false;
    std::int64_t moved_ns = 0;  // when its clock was last seen to move
    // in a row at which it was inside weft, with that tick; since when, and its clock then
    int inside_looks = 0;
    std::int64_t inside_ns = 0, inside_cpu_ns = 0;
    std::int64_t ask_ns = 0;  // not to be asked to yield before
    std::int64_t ask_pause = 0;

    // When its step would have begun, had it never waited for a CPU.
    [[nodiscard]] std::int64_t ran_since_ns() const noexcept { return since_ns + waited_ns; }
  } seen;
  // over several steps of one holder: the part of it that it ran (blocks_in_bits)
  struct stretch {
    const worker* of = nullptr;
    std::int64_t cpu_ns = 0, since_ns = 0;
  } stretch;

  // ---- constant
  const std::uint32_t index;
  const base::bias_slot bias;  // what locks are biased to (sync/biased_lock.hpp)

  // ---- shared, by their own rules
  // the worker whose gate guards this; a hint, null while idle
  std::atomic<worker*> holder{nullptr};
  run_queue ready;  // fibers whose wait has ended
  run_queue local;  // fibers that yielded, were spawned, or had lost it
  timer_queue timers;

  // ---- the holder: what service_order.hpp takes from
  [[nodiscard]] fiber_record* slot() const noexcept { return next.load(std::memory_order_relaxed); }
  void empty_slot() noexcept { next.store(nullptr, std::memory_order_relaxed); }
  void push_ready(fiber_record* f) noexcept {
    ready.push(f);
    order.ready_waits = true;
  }
  [[nodiscard]] fiber_record* take_ready() noexcept {
    fiber_record* f = ready.take();
    if (ready.begun_run()) prefetch_run(ready);
    return f;
  }
  /// At a check, and before it becomes idle. Idle time is none of its steps (begin_measuring).
  void measure_steps(std::int64_t now) noexcept {
    const std::int64_t steps = tick.load(std::memory_order_relaxed) - measured_tick;
    if (steps == 0) return;
    steps_in_time = static_cast<std::uint32_t>(std::clamp<std::int64_t>(
        check_every_ns * steps / std::max<std::int64_t>(now - measured_ns, 1), 1, longest_check));
    const std::int64_t claims = (steps_in_time + 3) / 4;
    ready.limit_claims(claims);  // what is claimed cannot be stolen while a step is long [ORDER-8]
    local.limit_claims(claims);
    begin_measuring(now);
  }
  void begin_measuring(std::int64_t now) noexcept {
    measured_tick = tick.load(std::memory_order_relaxed);
    measured_ns = now;
  }
  /// So many are served in the time that a wake-up takes, if their steps are as those before were.
  [[nodiscard]] std::size_t soon_served() const noexcept {
    return std::clamp<std::size_t>(steps_in_time / 2, 1, 8);
  }
  [[nodiscard]] fiber_record* take_local() noexcept { return local.take(); }
  // ---- anyone: a moment's guess
  [[nodiscard]] std::int64_t stealable() const noexcept { return ready.size() + local.size(); }
  [[nodiscard]] std::int64_t claimed_hint() const noexcept {
    return ready.claimed_hint() + local.claimed_hint();
  }
  [[nodiscard]] bool has_waiting() const noexcept {
    return stealable() > 0 || claimed_hint() > 0 || next.load(std::memory_order_relaxed) != nullptr;
  }
  [[nodiscard]] bool somebody_is_ready() const noexcept {
    return ready.size() > 0 || ready.claimed_hint() > 0 ||
           next.load(std::memory_order_relaxed) != nullptr;
  }
  /// At its next step it looks at what comes from outside. Lost if it does so now anyway.
  void ask_to_check() noexcept {
    check_at.store(tick.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }

  /// Puts what only the holder reaches where thieves reach it. Called by the holder, or by the
  /// thread that has taken the processor.
  void share() {
    ready.unclaim();
    local.unclaim();
    if (fiber_record* f = slot()) {
      empty_slot();
      ready.push_in_place(f);  // the monitor comes here, too
      order.ready_waits = true;
    }
  }
  [[nodiscard]] bool check_is_due() const noexcept {
    return is_due(tick.load(std::memory_order_relaxed));
  }
  [[nodiscard]] bool is_due(std::uint32_t at_tick) const noexcept {
    return static_cast<std::int32_t>(at_tick - check_at.load(std::memory_order_relaxed)) >= 0;
  }
  void count_steps() noexcept {
    const std::uint32_t t = tick.load(std::memory_order_relaxed);
    steps.add(t - std::exchange(counted_tick, t));
  }
  std::uint32_t bump_tick() noexcept {
    const std::uint32_t t = tick.load(std::memory_order_relaxed) + 1;
    tick.store(t, std::memory_order_relaxed);
    return t;
  }
};

}  // namespace weft::detail
