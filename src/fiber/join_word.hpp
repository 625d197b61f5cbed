// SPDX-License-Identifier: BSL-1.0
// fiber/join_word.hpp - how a fiber's end meets the one handle that may wait for it.
//
//   open --wait_on--> waited --finish--> done          finish returns whom to wake
//   open --detach---> detached --finish--> (record is the finisher's to free)
//   waited --leave--> open                             a timed join gives up
//   done --detach--> (record is the handle's to free)
//
// Handle and fiber each let go of the record once; the second one frees it. One word, no count.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

// JOIN-1  a joiner that was accepted by wait_on and did not leave is woken exactly once.
// JOIN-2  exactly one side is told to free the record.
// JOIN-3  whoever sees `done` sees the result.
template <class Sync = base::real_sync>
class basic_join_word {
 public:
  using ticket_bits = std::uint64_t;  // a ticket: never one of the three values below (index 0 is unused)
  static constexpr ticket_bits open = 0, done = 1, detached = 2;

  struct finish_result {
    ticket_bits joiner;  // to wake, or `open`
    bool free_record;
  };

  void reset() { word_.store(open, std::memory_order_relaxed); }
  void reset_detached() { word_.store(detached, std::memory_order_relaxed); }

  // A detached one stays detached; an attached one may be detached any moment.
  bool is_detached() const { return word_.load(std::memory_order_relaxed) == detached; }
  bool is_done() const { return word_.load(std::memory_order_acquire) == done; }  // JOIN-3: finish

  // ---- the fiber's end -----------------------------------------------------------------------------
  finish_result finish() {
    // Release: the result. Acquire: the handle's last words in detach.
    const ticket_bits before = word_.exchange(done, std::memory_order_acq_rel);
    if (before == detached) return {open, true};
    return {before, false};
  }
  // The handle's holder ran the fiber itself: nobody else looks at this word.
  void finish_alone() { word_.store(done, std::memory_order_relaxed); }

  // ---- the handle ----------------------------------------------------------------------------------
  // False: already done. There is at most one handle, so at most one waiter.
  bool wait_on(ticket_bits joiner) {
    ticket_bits expected = open;
    return word_.compare_exchange_strong(expected, joiner, std::memory_order_acq_rel,  // JOIN-1: finish
                                         std::memory_order_acquire);
  }
  // The joiner gives up. False: the end came first.
  bool leave(ticket_bits joiner) {
    return word_.compare_exchange_strong(joiner, open, std::memory_order_acq_rel,
                                         std::memory_order_acquire);
  }
  // True: the fiber has ended and the record is the caller's to free.
  bool detach() {
    ticket_bits expected = open;
    return !word_.compare_exchange_strong(expected, detached, std::memory_order_acq_rel,  // JOIN-2
                                          std::memory_order_acquire);
  }

 private:
  typename Sync::template atomic<ticket_bits> word_{open};
};

using join_word = basic_join_word<>;

}  // namespace weft::detail
