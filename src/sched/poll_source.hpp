// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/poll_source.hpp - what the scheduler asks of a netpoller (src/net implements it).

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fiber/record.hpp"

namespace weft::detail {

class poll_source {
 public:
  using batch = std::vector<fiber_record*>;  // won wakes: the caller owes each a queue

  static constexpr std::size_t longest_batch = 512;  // what one poll appends at most

  virtual ~poll_source() = default;
  /// Collects what is ready into `out` (appends). Waits until something is, until `deadline_ns`
  /// (CLOCK_MONOTONIC; 0: does not wait; INT64_MAX: no limit), or until interrupt(). One waits at a
  /// time; others may look without waiting meanwhile. True: everything that is registered has had
  /// an event, and nobody waits for any of them.
  virtual bool poll(std::int64_t deadline_ns, batch& out) noexcept = 0;
  /// Ends the present wait, or the next one if there is none. Any thread.
  virtual void interrupt() noexcept = 0;
  /// The runtime has ended, and its poller is not polled any more: releases what is registered, and
  /// takes nothing new. Waiters of other runtimes continue with their own poller; its own are never
  /// resumed.
  virtual void let_go() noexcept = 0;
  /// True if any descriptor is registered. If not, polling without waiting is pointless.
  [[nodiscard]] virtual bool in_use() const noexcept = 0;
};

}  // namespace weft::detail
