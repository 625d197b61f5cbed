// SPDX-License-Identifier: BSL-1.0
// net/poll_word.hpp - how a readiness finds its waiter. The proof of POLL-1 is in README.md.
//
//   waiter                                          poller, with an event of the kernel's
//   1 seen = edges()                                1 edge(): ++edges
//   2 the system call: it would block               2 take(direction): the ticket out of its slot;
//   3 try_wait: ticket into the slot, then edges      wake it
//     again; if they changed, go to 1               3 extra_waiters() > 0: wake those, too
//   4 park; afterwards withdraw the ticket, unless
//     it was taken
//
// A readiness is a count, not a flag. A waiter that looked at the socket after the poller counted
// need not look again, and a readiness that another waiter has not seen cannot be consumed. The
// lowest bit of the count says that the stream is irregular: its end, an error or urgent data were
// seen. Then a short read does not mean that nothing is left. A slot has room for one waiter. A
// second waiter of the same direction joins the extra waiters, a list that the descriptor keeps,
// and every event wakes it.
// Rejected: empty/ready/ticket in one word, as Go has it (a `ready` left behind by data long read
// costs a system call per request; of two waiters one can take the other's); a waiter list under a
// lock for all.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

enum class direction : std::uint8_t { read, write };
enum class event_kind : std::uint8_t { regular, irregular };
enum class wait_offer : std::uint8_t {
  accepted,  // park: an event or the closing will wake the ticket
  missed,    // an event came meanwhile: do not park, try the system call
  // Another agent waits in this direction: join_extra_waiters.
  occupied,
  closed,
};

// POLL-1  a waiter whose system call would have blocked, and that parks, is woken by any event
// after that call. POLL-2 after close no waiter parks, and a parked waiter is woken.
template <class Sync = base::real_sync>
class basic_poll_word {
 public:
  using ticket_bits = std::uint64_t;  // never 0 or 1: the index of record 0 is unused
  using edge_count = std::uint32_t;   // wraps after 2^31 events between two lines of one function
  static constexpr ticket_bits empty = 0, closed = 1;
  static constexpr edge_count unknown = 1;  // equals no count that is regular

  static constexpr bool regular(edge_count e) { return (e & 1) == 0; }

  // A new life; no other thread knows this word. The count goes on, so that nothing of the last
  // life matches.
  void reset() {
    slots_[0].store(empty, std::memory_order_relaxed);
    slots_[1].store(empty, std::memory_order_relaxed);
    const edge_count e = edges_.load(std::memory_order_relaxed);
    edges_.store((e | 1) + 1, std::memory_order_relaxed);
  }

  // The memory of a word without a life was dropped, and comes back.
  void revive(edge_count e) { edges_.store(e, std::memory_order_relaxed); }

  // ---- the waiter
  // Acquire: what is read from the socket afterwards is at least as new as the events counted here.
  edge_count edges() const { return edges_.load(std::memory_order_acquire); }  // [POLL-1] edge

  wait_offer try_wait(direction d, ticket_bits t, edge_count seen) {
    ticket_bits there = empty;
    // [POLL-1] the slot, then the count; the poller: the count, then the slot. All four seq_cst.
    if (!slot(d).compare_exchange_strong(there, t, std::memory_order_seq_cst,
                                         std::memory_order_acquire))
      return there == closed ? wait_offer::closed : wait_offer::occupied;
    if (edges_.load(std::memory_order_seq_cst) == seen) return wait_offer::accepted;
    withdraw(d, t);  // if it was taken meanwhile, its wake finds the epoch over
    return wait_offer::missed;
  }
  void withdraw(direction d, ticket_bits t) {
    // Relaxed: an empty slot publishes nothing.
    slot(d).compare_exchange_strong(t, empty, std::memory_order_relaxed, std::memory_order_relaxed);
  }

  // After the caller's ticket was put into the list. A close counts an edge, too.
  wait_offer join_extra_waiters(edge_count seen) {
    // [POLL-1] as the slot: extra_waiters() follows edge()
    extra_waiters_.fetch_add(1, std::memory_order_seq_cst);
    return edges_.load(std::memory_order_seq_cst) == seen ? wait_offer::accepted
                                                          : wait_offer::missed;
  }
  void leave_extra_waiters() { extra_waiters_.fetch_sub(1, std::memory_order_relaxed); }

  // ---- the poller
  void edge(event_kind k) {
    if (k == event_kind::irregular)  // before the count: a reader of the new count sees this, too
      edges_.fetch_or(1, std::memory_order_relaxed);
    edges_.fetch_add(2, std::memory_order_seq_cst);  // [POLL-1] try_wait, join_extra_waiters
  }
  // The ticket to wake, or `empty`.
  [[nodiscard]] ticket_bits take(direction d) {
    // Acquire is part of it: the word of the fiber whose ticket this is.
    ticket_bits t = slot(d).load(std::memory_order_seq_cst);  // [POLL-1] try_wait
    while (t > closed && !slot(d).compare_exchange_weak(t, empty, std::memory_order_relaxed,
                                                        std::memory_order_acquire)) {
    }
    return t > closed ? t : empty;
  }
  // The ticket that is there; a guess, to prefetch what it names.
  [[nodiscard]] ticket_bits waiting(direction d) const {
    return slots_[static_cast<int>(d)].load(std::memory_order_relaxed);
  }
  // Somebody waits, in whatever direction; a guess, too.
  [[nodiscard]] bool has_waiter() const {
    return waiting(direction::read) > closed || waiting(direction::write) > closed;
  }
  [[nodiscard]] bool has_extra_waiters() const {
    return extra_waiters_.load(std::memory_order_seq_cst) != 0;  // [POLL-1] join_extra_waiters
  }

  // ---- close: both directions, then edge(), then has_extra_waiters(). [POLL-2] So a waiter meets
  // the closed slot, or its ticket is taken here; an extra waiter sees the count changed, or is
  // seen in the list.
  [[nodiscard]] ticket_bits close(direction d) {
    // Acquire: as take(). Release: is_closed().
    const ticket_bits t = slot(d).exchange(closed, std::memory_order_acq_rel);
    return t > closed ? t : empty;
  }
  [[nodiscard]] bool is_closed() const {
    return slots_[0].load(std::memory_order_acquire) == closed;  // close()
  }

 private:
  using slot_type = typename Sync::template atomic<ticket_bits>;
  slot_type& slot(direction d) { return slots_[static_cast<int>(d)]; }

  slot_type slots_[2]{};
  typename Sync::template atomic<edge_count> edges_{0};
  typename Sync::template atomic<std::uint32_t> extra_waiters_{0};
};

using poll_word = basic_poll_word<>;

}  // namespace weft::detail
