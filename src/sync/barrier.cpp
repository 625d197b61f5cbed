// SPDX-License-Identifier: BSL-1.0
// sync/barrier.cpp - arrivals are counted under the guard; the completion runs outside it.
//   BAR-1  the phase is the last thing the last arrival touches: a waiter that sees it may destroy
//          the barrier, and sees all that came before.
//   BAR-2  between the last arrival and the new phase there are no arrivals (the standard's
//          precondition), so the completion is alone with what it works on.
#include <weft/barrier.hpp>

#include "base/check.hpp"
#include "sync/misuse.hpp"
#include "sync/waiting.hpp"

namespace weft::detail {

bool barrier_arrive(barrier_state& b, std::ptrdiff_t n, barrier_drop drop,
                    std::uint64_t& phase) noexcept {
  const waiting_guard g(&b);
  if (n <= 0 || n > b.pending)
    report_misuse("more arrivals at a barrier than it expects in a phase");
  phase = b.phase.load(std::memory_order_relaxed);
  if (drop == barrier_drop::yes) --b.expected;
  b.pending -= n;
  return b.pending == 0;
}

void barrier_complete(barrier_state& b) noexcept {
  wait_list local;
  wake_list out;
  waiting_guard g(&b);
  splice_back(local, b.waiters);
  b.pending = b.expected;  // BAR-2: no arrivals meanwhile
  b.phase.store(b.phase.load(std::memory_order_relaxed) + 1, std::memory_order_release);  // BAR-1
  wake_all<waiting_env>(g, out, local);
}

wait_end barrier_wait(barrier_state& b, std::uint64_t phase, const wait_limit& limit) {
  yield_if_requested_slow();
  waiter me(park_reason::barrier, &b);
  return wait_or_throw(me, [&] {
    return wait_unless<waiting_env>(
        me, b.waiters, &b, limit, [&] { return b.phase.load(std::memory_order_acquire) != phase; });
  });
}

}  // namespace weft::detail
