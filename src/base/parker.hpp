// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/parker.hpp - how a thread sleeps until another one has something for it.
//
//   waker    1 publishes what it has
//            2 unpark: exchanges 1 in; wakes the sleeper if there was none
//   sleeper  1 looks at what is published
//            2 nothing: park. Returns when a 1 was exchanged out; looks again
//
//   WAKE-1  a sleeper that parks after it looked and saw nothing gets the 1 of each waker that has
//           published since. A sleeper that takes a 1 sees what was published before it.
// Rejected: the sleeper stores 0 and looks (a 1 that an earlier waker left behind ends the wait at
// once, and the store may become visible after the look: it then wipes out the 1 of a waker whose
// publication the look has missed).

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::base {

template <class Sync = real_sync>
class basic_parker {
 public:
  /// The own thread. May return for no reason but an old unpark: look again.
  void park() {
    // [WAKE-1] unpark
    while (token_.exchange(0, std::memory_order_acquire) == 0) Sync::futex_wait(token_, 0);
  }
  /// False: the deadline passed first, and no token was taken. Not in the model: a timeout is a
  /// park that never was.
  bool park_until(std::int64_t deadline_ns) {
    while (token_.exchange(0, std::memory_order_acquire) == 0)  // [WAKE-1] unpark
      if (!Sync::futex_wait_until(token_, 0, deadline_ns))
        return token_.exchange(0, std::memory_order_acquire) != 0;
    return true;
  }

  /// From anywhere; AS-safe. An exchange, not a store: of two wakers the first must stay visible
  /// through the second's.
  void unpark() {
    // [WAKE-1] park
    if (token_.exchange(1, std::memory_order_release) == 0) Sync::futex_wake(token_, 1);
  }

 private:
  typename Sync::template atomic<std::uint32_t> token_{0};  // futex
};

using parker = basic_parker<>;

}  // namespace weft::base
