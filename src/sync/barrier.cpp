// SPDX-License-Identifier: BSL-1.0
// sync/barrier.cpp - the entry points of weft/barrier.hpp; see barrier_core.hpp.
#include <weft/barrier.hpp>

#include "sync/barrier_core.hpp"
#include "sync/misuse.hpp"

namespace weft::detail {

bool barrier_arrive(barrier_state& b, std::ptrdiff_t n, barrier_drop drop,
                    std::uint64_t& phase) noexcept {
  const arrival a = arrive<waiting_env>(b, n, drop, phase);
  if (a == arrival::too_many) [[unlikely]]
    report_misuse("more arrivals at a barrier than it expects in a phase");
  return a == arrival::last;
}

void barrier_complete(barrier_state& b) noexcept { end_phase<waiting_env>(b); }

wait_end barrier_wait(barrier_state& b, std::uint64_t phase, const wait_limit& limit) {
  yield_if_requested_slow();
  waiter me(park_reason::barrier, &b);
  return wait_or_throw(me, [&] { return wait_for_phase<waiting_env>(b, phase, me, limit); });
}

}  // namespace weft::detail
