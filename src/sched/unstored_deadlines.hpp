// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/unstored_deadlines.hpp - the deadlines that found no memory: each on the stack of its wait,
// in a list of the processor's timer_queue, under that queue's lock.
//
//   TIMER-4  an entry is in the list from before the park until it is due, or until its fiber goes
//            on and takes it out itself. Either is under the lock, and so is the wake of one that
//            is due: its fiber comes past the lock before its frame goes. So an entry whose frame
//            is gone is never read, and a park with a deadline cannot fail.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/intrusive_list.hpp"

namespace weft::detail {

template <class Ticket>
class basic_unstored_deadlines {
 public:
  struct entry : base::list_hook<> {
    entry(std::int64_t at, Ticket t) noexcept : when(at), who(t) {}
    const std::int64_t when;
    const Ticket who;
  };

  // All under the lock.
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  void add(entry& e) noexcept { entries_.push_back(e); }
  /// False: it has fired.
  bool remove(entry& e) noexcept {
    if (!e.linked()) return false;
    e.unlink();
    return true;
  }
  /// Of all; they are few: the list is searched. INT64_MAX: there is none.
  [[nodiscard]] std::int64_t first() const noexcept {
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    for (const entry& e : entries_) first = std::min(first, e.when);
    return first;
  }
  /// Calls wake(ticket) for at most `limit` that are due; how many.
  template <class Wake>
  std::size_t fire(std::int64_t now, std::size_t limit, Wake&& wake) {
    std::size_t n = 0;
    for (auto it = entries_.begin(); it != entries_.end() && n < limit;) {
      entry& e = *it;
      ++it;
      if (e.when > now) continue;
      e.unlink();
      wake(e.who);  // [TIMER-4] remove: not before the lock is free
      ++n;
    }
    return n;
  }
  template <class Visit>
  void look(Visit&& visit) const {
    for (const entry& e : entries_) visit(e.when, e.who);
  }

 private:
  mutable base::intrusive_list<entry> entries_;
};

}  // namespace weft::detail
