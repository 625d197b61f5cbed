// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/poll_deadline.hpp - until when the sleeper in the poller sleeps, and which timers it knows.
//
//   sleeper   1 until = max    2 light fence   3 is a processor idle? reads the heaps' first
//             deadlines        4 until = the earliest of them    5 waits
//   retirer   1 the heap's first deadline is written    2 one more processor is idle, heavy fence
//             3 reads until, and interrupts if that is later
//
//   TIMER-1  no timer of an idle processor without a sleeper that knows of it, if one waits in the
//            poller. Deadline and `max` are seq_cst: the sleeper sees the deadline, or the other
//            side sees an `until` that is later. With every processor busy the sleeper sleeps for
//            ever; so whoever makes one idle, or takes back a claim that made it look busy, reads
//            `until` afterwards.

#include <atomic>
#include <cstdint>
#include <limits>

#include "base/sync_policy.hpp"

namespace weft::detail {

/// When the first entry of a heap is due. Written under the heap's lock.
template <class Sync = base::real_sync>
class basic_first_deadline {
 public:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  [[nodiscard]] std::int64_t get() const noexcept {
    return when_.load(std::memory_order_seq_cst);  // [TIMER-1] set
  }
  void set(std::int64_t when) noexcept {
    when_.store(when, std::memory_order_seq_cst);  // [TIMER-1] get
  }
  /// By the writer.
  void lower(std::int64_t when) noexcept {
    if (when < when_.load(std::memory_order_relaxed)) set(when);
  }

 private:
  typename Sync::template atomic<std::int64_t> when_{never};
};

template <class Sync = base::real_sync>
class basic_poll_deadline {
 public:
  static constexpr std::int64_t never = basic_first_deadline<Sync>::never;

  // ---- the sleeper
  /// `earliest()`: of the heaps; never, if no processor is idle.
  template <class Earliest>
  [[nodiscard]] std::int64_t begin(Earliest&& earliest) noexcept {
    until_.store(never, std::memory_order_seq_cst);  // [TIMER-1] before the heaps are read
    Sync::light_fence();                             // [TIMER-1] idle_state::retire
    const std::int64_t until = earliest();
    // Relaxed: until it is seen a retirer interrupts for nothing, which is harmless.
    until_.store(until, std::memory_order_relaxed);
    return until;
  }
  // Relaxed: nobody sleeps, and who reads an older value has its deadline read by the next begin.
  void end() noexcept { until_.store(vacant, std::memory_order_relaxed); }

  // ---- anyone
  [[nodiscard]] bool is_vacant() const noexcept {
    return until_.load(std::memory_order_relaxed) == vacant;
  }
  /// The sleeper does not know of the deadline: to be interrupted.
  [[nodiscard]] bool misses(std::int64_t deadline) const noexcept {
    const std::int64_t until = until_.load(std::memory_order_seq_cst);  // [TIMER-1] begin
    return until != vacant && deadline < until;
  }

 private:
  static constexpr std::int64_t vacant = std::numeric_limits<std::int64_t>::min();

  typename Sync::template atomic<std::int64_t> until_{vacant};
};

using first_deadline = basic_first_deadline<>;
using poll_deadline = basic_poll_deadline<>;

}  // namespace weft::detail
