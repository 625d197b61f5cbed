// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/poller_core.hpp - two protocols of the poller as templates: POLL-3, interrupts against waits,
// and POLL-5, the end of a poller against records that come to it. The proofs are in README.md.

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

// POLL-3  every interrupt ends one wait. The count is above 0 as long as the eventfd is readable,
//         or a write to it is about to happen. One write serves all interrupts until a wait has
//         ended, and a waiter that ends its wait passes the rest on. It empties the eventfd before
//         it counts down, so an interrupt in between is either counted or writes for itself.
/// `Event`: announce() makes it readable, empty() unreadable; a wait ends while it is readable.
template <class Sync, class Event>
class basic_interrupts {
 public:
  void interrupt(Event& e) noexcept {
    if (requests_.fetch_add(1, std::memory_order_acq_rel) == 0) e.announce();  // [POLL-3] accept
  }
  /// By a wait that has found it readable; one at a time.
  void accept(Event& e) noexcept {
    e.empty();
    // Acquire: our caller, which looks at everything afterwards, sees what was done before the
    // interrupt.
    if (requests_.fetch_sub(1, std::memory_order_acq_rel) > 1) e.announce();  // [POLL-3] interrupt
  }

 private:
  typename Sync::template atomic<std::uint32_t> requests_{0};  // have not ended a wait yet
};

// POLL-5  a poller that ends has no record left. The end: `ended`, then the owners. A record that
//         comes: the owner, then `ended`. So a record that is being registered is found by the end,
//         or its registration takes it back.
template <class Sync>
class basic_poller_end {
 public:
  /// False: it had ended before.
  bool begin() noexcept {
    return !ended_.exchange(true, std::memory_order_seq_cst);  // [POLL-5] own
  }
  /// Afterwards, of each record: perhaps.
  template <class Owner, class Poller>
  [[nodiscard]] static bool may_own(const Owner& owner, const Poller* p) noexcept {
    // The remover of one has released this object: acquire is part of it.
    return owner.load(std::memory_order_seq_cst) == p;  // [POLL-5] own
  }
  /// False: it has ended, and the record is to be taken back.
  template <class Owner, class Poller>
  [[nodiscard]] bool own(Owner& owner, Poller* p) noexcept {
    // Release: acquire in wait_for_event, see there.
    owner.store(p, std::memory_order_seq_cst);       // [POLL-5] begin, may_own
    return !ended_.load(std::memory_order_seq_cst);  // [POLL-5] begin, may_own
  }

 private:
  typename Sync::template atomic<bool> ended_{false};
};

}  // namespace weft::detail
