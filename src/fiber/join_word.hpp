// SPDX-License-Identifier: BSL-1.0
// fiber/join_word.hpp - how a fiber's end meets the one handle that may wait for it.
//
//   open --wait_on--> waited --finish--> done       finish returns the agent to wake
//   open --detach---> detached --finish-->          the finisher frees the record
//   waited --leave--> open                          a timed join gives up
//   done --detach-->                                the handle frees the record
//   open, waited --leave_behind--> left behind      the runtime ends before the fiber; returns the
//                                                   agent to wake
//   left behind --finish--> done                    the thread may still be in the user's code
//   left behind --detach--> detached
//
// Handle and fiber each release the record once, and the second one frees it. One word, no count.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

// JOIN-1  a joiner that was accepted by wait_on and did not leave is woken exactly once.
// JOIN-2  exactly one side is told to free the record.
// JOIN-3  a reader of `done` sees the result.
template <class Sync = base::real_sync>
class basic_join_word {
 public:
  // a ticket: never one of the four values below (index 0 is unused)
  using ticket_bits = std::uint64_t;
  static constexpr ticket_bits open = 0, done = 1, detached = 2, left_behind = 3;

  struct finish_result {
    ticket_bits joiner;  // to wake, or `open`
    bool free_record;
  };

  void reset() { word_.store(open, std::memory_order_relaxed); }
  void reset_detached() { word_.store(detached, std::memory_order_relaxed); }

  // A detached one stays detached; an attached one may be detached any moment.
  bool is_detached() const { return word_.load(std::memory_order_relaxed) == detached; }
  bool is_done() const { return word_.load(std::memory_order_acquire) == done; }  // JOIN-3: finish
  // False of one that has ended since: then the result is there, JOIN-3.
  bool is_left_behind() const { return word_.load(std::memory_order_acquire) == left_behind; }

  // ---- the fiber's end
  finish_result finish() {
    // Release: the result. Acquire: the handle's last words in detach.
    const ticket_bits before = word_.exchange(done, std::memory_order_acq_rel);
    if (before == detached) return {open, true};
    return {before > left_behind ? before : open, false};
  }
  // The runtime ends and the fiber has not. Returns the agent that waits for it, to be woken, or
  // `open`.
  ticket_bits leave_behind() {
    ticket_bits now = word_.load(std::memory_order_relaxed);
    while (now == open || now > left_behind)
      // JOIN-1: wait_on
      if (word_.compare_exchange_weak(now, left_behind, std::memory_order_acquire,
                                      std::memory_order_relaxed))
        return now;
    return open;
  }
  // The handle's holder ran the fiber itself: no other thread looks at this word.
  void finish_alone() { word_.store(done, std::memory_order_relaxed); }

  // ---- the handle
  // False: already done, or left behind. There is at most one handle, so at most one waiter.
  bool wait_on(ticket_bits joiner) {
    ticket_bits expected = open;
    // JOIN-1: finish
    return word_.compare_exchange_strong(expected, joiner, std::memory_order_acq_rel,
                                         std::memory_order_acquire);
  }
  // The joiner gives up. False: the end came first, or the runtime's.
  bool leave(ticket_bits joiner) {
    return word_.compare_exchange_strong(joiner, open, std::memory_order_acq_rel,
                                         std::memory_order_acquire);
  }
  // True: the fiber has ended and the record is the caller's to free.
  bool detach() {
    ticket_bits now = open;
    while (now != done)  // open, or left behind
      if (word_.compare_exchange_strong(now, detached, std::memory_order_acq_rel,  // JOIN-2
                                        std::memory_order_acquire))
        return false;
    return true;
  }

 private:
  typename Sync::template atomic<ticket_bits> word_{open};
};

using join_word = basic_join_word<>;

}  // namespace weft::detail
