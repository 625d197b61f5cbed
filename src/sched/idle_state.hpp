// SPDX-License-Identifier: BSL-1.0
// sched/idle_state.hpp - how many processors are idle, how many workers search, and when a wake-up
// is owed.
//
//   submit:  1 publish the fiber            2 light fence [IDLE-1]   3 wake if some idle and none
//            searching
//   retire:  1 idle + 1, searching - 1      2 heavy fence [IDLE-1]   3 look at every source again
//
// At most one worker is woken at a time: the submitter that wakes counts the sleeper as searching
// before it is awake, so the next submitters see a searching worker and pay one load. The last
// searcher that finds work owes a wake to the next one.
// Rejected: one wake per submit (wake storms: 12 us for the waker, 30 us until the sleeper runs); a
// full fence in submit (5 ns in every spawn).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

enum class search_duty : std::uint8_t { none, wake_another };

// IDLE-1  no lost wake-up: if work is published and a processor retires, the submitter wakes a
//         sleeper or the retirer sees the work.
// IDLE-2  searching counts every worker that holds a processor and may still look at every queue
//         before it sleeps, and every sleeper whose wake-up is on its way.
template <class Sync = base::real_sync>
class basic_idle_state {
 public:
  // ---- submitters
  // True if a wake-up is owed for what was just published.
  bool must_wake() const {
    Sync::light_fence();  // [IDLE-1] heavy_fence in retire
    return wants_wake(word_.load(std::memory_order_relaxed));
  }
  // The right to wake one sleeper; it counts as idle no more and as searching from now on.
  bool try_claim_wake() {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    while (wants_wake(w))
      if (word_.compare_exchange_weak(w, w - idle_one + searching_one, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return true;
    return false;
  }
  // There was no sleeper to wake, or it turned out to be awake with a processor: idle again,
  // searching no more.
  void undo_claim_wake() { word_.fetch_add(idle_one - searching_one, std::memory_order_acq_rel); }
  // A sleeper is woken with a processor that was never idle.
  void begin_search_for_sleeper() { word_.fetch_add(searching_one, std::memory_order_acq_rel); }

  // ---- workers
  // Half of the busy processors may search. A worker that is refused sleeps without having
  // searched.
  bool try_begin_search(std::uint32_t processors) {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint32_t busy = processors - idle(w);
      if (2 * searching(w) >= busy && searching(w) != 0) return false;
      if (word_.compare_exchange_weak(w, w + searching_one, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return true;
    }
  }
  search_duty end_search() {
    const std::uint64_t before = word_.fetch_sub(searching_one, std::memory_order_acq_rel);
    return searching(before) == 1 && idle(before) > 0 ? search_duty::wake_another
                                                      : search_duty::none;
  }
  // A processor becomes idle. The caller must look at every source again before it sleeps.
  void retire(bool was_searching) {
    word_.fetch_add(was_searching ? idle_one - searching_one : idle_one, std::memory_order_acq_rel);
    Sync::heavy_fence();  // [IDLE-1] light_fence in must_wake
  }
  // The second look found something: back to searching, if an idle processor is still to be had.
  bool try_unretire() {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    while (idle(w) > 0)
      if (word_.compare_exchange_weak(w, w - idle_one + searching_one, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return true;
    return false;
  }
  // A thread takes an idle processor for a purpose of its own, not to search.
  bool try_claim_idle() {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    while (idle(w) > 0)
      if (word_.compare_exchange_weak(w, w - idle_one, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return true;
    return false;
  }

  std::uint32_t idle() const { return idle(word_.load(std::memory_order_relaxed)); }
  std::uint32_t searching() const { return searching(word_.load(std::memory_order_relaxed)); }

 private:
  static constexpr std::uint64_t searching_one = 1, idle_one = std::uint64_t{1} << 32;
  static std::uint32_t idle(std::uint64_t w) { return static_cast<std::uint32_t>(w >> 32); }
  static std::uint32_t searching(std::uint64_t w) { return static_cast<std::uint32_t>(w); }
  static bool wants_wake(std::uint64_t w) { return idle(w) > 0 && searching(w) == 0; }

  typename Sync::template atomic<std::uint64_t> word_{0};
};

using idle_state = basic_idle_state<>;

}  // namespace weft::detail
