// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/barrier_core.hpp - arrivals are counted under the guard; the completion runs outside it.
//   BAR-1  the phase is the last thing the last arrival touches: a waiter that sees it may destroy
//          the barrier, and sees all that came before.
//   BAR-2  between the last arrival and the new phase there are no arrivals (the standard's
//          precondition), so the completion is alone with what it works on.

#include <weft/barrier.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

// too_many: more than were expected; nothing has changed.
enum class arrival : std::uint8_t { too_many, early, last };

/// After the last one, and the completion, comes end_phase.
template <class Env, class State>
[[nodiscard]] arrival arrive(State& b, std::ptrdiff_t n, barrier_drop drop,
                             std::uint64_t& phase) noexcept {
  const typename Env::guard g(&b);
  if (n <= 0 || n > b.pending) return arrival::too_many;
  phase = b.phase.load(std::memory_order_relaxed);  // the guard's
  if (drop == barrier_drop::yes) --b.expected;
  b.pending -= n;
  return b.pending == 0 ? arrival::last : arrival::early;
}

template <class Env, class State>
void end_phase(State& b) noexcept {
  typename Env::wait_list local;
  typename Env::wake_list out;
  typename Env::guard g(&b);
  splice_back(local, b.waiters);
  b.pending = b.expected;  // BAR-2: no arrivals meanwhile
  // [BAR-1] barrier::finished, which takes no lock
  b.phase.store(b.phase.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  wake_all<Env>(g, out, local);
}

template <class Env, class State>
wait_end wait_for_phase(State& b, std::uint64_t phase, typename Env::waiter& me,
                        const typename Env::limit& limit) {
  // relaxed: the guard's
  return wait_unless<Env>(me, b.waiters, &b, limit,
                          [&] { return b.phase.load(std::memory_order_relaxed) != phase; });
}

}  // namespace weft::detail
