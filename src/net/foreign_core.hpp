// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/foreign_core.hpp - POLL-6 (foreign_descriptor.hpp) as templates: what a record counts, and
// the loop of a wait. The proof is in README.md.
//
// Every arming has a number, which the kernel keeps with the registration and gives back with the
// event. So a wait recognizes an event that a poller fetched before the wait began and is slow to
// report: its number is lower than that of the wait's own arming. Without the numbers a wait could
// end although nothing is there, and the caller's read would block its thread.
// Rejected: poll(2) at the end of each wait (one more system call for each), a count of events (it
// does not tell an old one).

#include <atomic>
#include <cstdint>
#include <system_error>

#include "base/sync_policy.hpp"
#include "net/poll_word.hpp"

namespace weft::detail {

/// The number of an arming; never wraps.
using arming = std::uint64_t;

/// From the 32 bits that the kernel keeps; `newest` is at most 2^31 armings away.
constexpr arming arming_of(std::uint64_t kept, arming newest) noexcept {
  const auto difference = static_cast<std::int32_t>(static_cast<std::uint32_t>(kept - newest));
  return newest + static_cast<arming>(std::int64_t{difference});
}

template <class Sync = base::real_sync>
class basic_foreign_counts {
 public:
  // ---- a waiter; all but leave and has_fired under the record's lock
  void enter(direction d, arming a) noexcept {
    of(waiting_, d).fetch_add(1, std::memory_order_relaxed);
    of(entered_, d).store(a, std::memory_order_relaxed);
  }
  void leave(direction d) noexcept { of(waiting_, d).fetch_sub(1, std::memory_order_relaxed); }
  /// An agent waits in that direction, or is about to.
  [[nodiscard]] bool is_waited_for(direction d) const noexcept {
    return of(waiting_, d).load(std::memory_order_relaxed) != 0;
  }
  /// An agent waits in that direction, and it has not fired for all that do. If it has, a poller
  /// wakes them. Armed again for them, it would fire at once, and wake the other direction's
  /// waiters for nothing, until these have left.
  [[nodiscard]] bool is_to_be_armed(direction d) const noexcept {
    return is_waited_for(d) && !has_fired(d, of(entered_, d).load(std::memory_order_relaxed));
  }
  /// That direction was ready at this arming, or after it.
  [[nodiscard]] bool has_fired(direction d, arming since) const noexcept {
    return of(fired_, d).load(std::memory_order_relaxed) >= since;
  }

  // ---- a poller, before it counts the edge, which releases this [POLL-6]
  void fire(direction d, arming a) noexcept {
    arming last = of(fired_, d).load(std::memory_order_relaxed);
    while (last < a && !of(fired_, d).compare_exchange_weak(last, a, std::memory_order_relaxed,
                                                            std::memory_order_relaxed)) {
    }
  }

 private:
  template <class Array>
  static auto& of(Array& both, direction d) noexcept {
    return both[static_cast<int>(d)];
  }

  typename Sync::template atomic<arming> fired_[2]{};           // the newest whose event said so
  typename Sync::template atomic<arming> entered_[2]{};         // the newest wait's; under lock
  typename Sync::template atomic<std::uint32_t> waiting_[2]{};  // those inside a wait
};

/// A wait until a direction is ready. `w` parks, and says why it may not wait any longer; a
/// `Wait::armed` arms the registration, and lives as long as the agent waits.
template <class Wait>
std::error_code wait_until_fired(Wait& w) {
  for (;;) {
    if (w.is_closed()) return w.closed();
    if (w.is_over()) return w.last_look();
    const auto seen = w.edges();  // [POLL-6] before the look, which is the arming
    const typename Wait::armed here(w);
    if (here.failed()) return here.error();
    w.park(seen);
    if (here.has_fired() && !w.is_closed()) return {};
  }
}

}  // namespace weft::detail
