// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/processor.hpp - the right to run fibers, and what goes with it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bias_owner.hpp"
#include "base/cache_line.hpp"
#include "base/counter.hpp"
#include "fiber/record.hpp"
#include "sched/deque.hpp"
#include "sched/timer_queue.hpp"

namespace weft::detail {

struct worker;

struct alignas(base::cache_line) processor {
  explicit processor(std::uint32_t i) : index(i) {}

  // The next slot may be used this often in a row before its fiber goes behind the others: a pair that wakes each
  // other runs hot, and does not starve the rest.
  static constexpr std::uint32_t longest_streak = 16;
  // Steps between two looks at the inject queue, the timers and the poller; halved while they come too rarely.
  static constexpr std::uint32_t longest_check = 61, shortest_check = 1;
  static constexpr std::int64_t check_every_ns = 100'000;

  // ---- the holder; others read the atomics as hints
  std::atomic<fiber_record*> next{nullptr};   // readied last; relaxed: only the holder writes
  std::uint32_t streak = 0;
  std::atomic<std::uint32_t> tick{0};         // scheduling steps; relaxed: the holder writes
  base::counter steps;                        // the ticks so far, without end; counted now and then (count_steps)
  std::uint32_t counted_tick = 0;
  std::uint32_t check_at = longest_check;
  std::uint32_t check_interval = longest_check;
  std::int64_t checked_ns = 0;
  std::uint32_t thaw_at = 0;                  // the step from which on a preempted fiber has its turn
  std::int32_t linger_luck = 1;               // waits for offloaded calls that were short enough lately
  std::uint32_t linger_skipped = 0;
  std::uint32_t looked_tick = UINT32_MAX;     // of the last look around
  bool kept_waiting = false;                  // until the next look: whose timer is due goes before the deque
  bool thaw_first = false;                    // after a retake: one of them may hold the lock the others wait for
  std::atomic<std::int64_t> thawed_ns{0};     // when a preempted thread last got it; relaxed: the monitor looks

  std::atomic<std::int64_t> looked_ns{0};     // the monitor's last round, or when it was attached: the time, to that; relaxed

  // ---- the monitor's
  struct sight {
    std::uint32_t tick = UINT32_MAX;  // none yet
    std::int64_t since_ns = 0;   // when the tick was first seen
    std::int64_t cpu_ns = -1;    // the holder's CPU clock then; -1 not read yet
    bool urgent = false;         // timers or descriptors became ready meanwhile
    bool brisk = false;          // many steps since the round before: it looks at its timers itself
    bool look_again = false;     // its clock was read once: a second look, soon, tells
    bool others_waited = false;
    std::int64_t ask_ns = 0;     // not to be asked to make way before
    std::int64_t ask_pause = 0;
  } seen;

  // ---- constant
  const std::uint32_t index;
  const base::bias_seat seat;                 // what locks are biased to (sync/biased_lock.hpp)

  // ---- shared, by their own rules
  std::atomic<worker*> holder{nullptr};      // whose gate guards me; a hint, null while idle
  deque<fiber_record*> local;
  timer_queue timers;

  [[nodiscard]] bool thaw_is_due() const noexcept {
    return thaw_first || static_cast<std::int32_t>(tick.load(std::memory_order_relaxed) - thaw_at) >= 0;
  }
  [[nodiscard]] bool look_is_due() const noexcept {
    return static_cast<std::int32_t>(tick.load(std::memory_order_relaxed) - check_at) >= 0;
  }
  void count_steps() noexcept {
    const std::uint32_t t = tick.load(std::memory_order_relaxed);
    steps.add(t - std::exchange(counted_tick, t));
  }
  // A step that does not look around: the look must stay ahead, for pick_local waits for its very tick.
  void bump_tick_unlooked() noexcept {
    static_cast<void>(bump_tick());
    if (look_is_due()) check_at = tick.load(std::memory_order_relaxed) + 1;
  }
  [[nodiscard]] std::uint32_t bump_tick() noexcept {
    const std::uint32_t t = tick.load(std::memory_order_relaxed) + 1;
    tick.store(t, std::memory_order_relaxed);
    return t;
  }
};

}  // namespace weft::detail
