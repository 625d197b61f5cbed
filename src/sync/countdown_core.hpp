// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/countdown_core.hpp - reaching zero, and waiting for it.
//
// The count and the bit for waiters are one word, so that the last decrement knows whether it is
// done: without waiters it never touches the object afterwards.
//   COUNT-1  the bit is set only under the guard and only while the list is not empty; the step to
//            zero with the bit set is made under the guard, too. An agent that sees zero without
//            waiting may destroy the object.
//   COUNT-2  a reader of zero sees what came before every decrement (they are one release
//            sequence).

#include <weft/detail/countdown.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

/// False: there was not that much, or `n` is negative.
template <class Env, class State>
[[nodiscard]] bool take_from_count(State& c, std::int64_t n) noexcept {
  constexpr auto waited_for = countdown::waited_for, one = countdown::one;
  std::int64_t s = c.state.load(std::memory_order_relaxed);
  for (;;) {
    if (n < 0 || n > s / one) return false;
    const std::int64_t next = s - n * one;
    if (next == waited_for) break;
    if (c.state.compare_exchange_weak(s, next, std::memory_order_release,  // [COUNT-2] count
                                      std::memory_order_relaxed))
      return true;
  }
  typename Env::wait_list local;
  typename Env::wake_list out;
  typename Env::guard g(&c);
  s = c.state.load(std::memory_order_relaxed);
  for (;;) {
    if (n > s / one) return false;
    std::int64_t next = s - n * one;
    if (next == waited_for) next = 0;
    // Before others can see zero [COUNT-1], and back if they do not.
    if (next == 0) splice_back(local, c.waiters);
    if (c.state.compare_exchange_weak(s, next, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
      break;
    splice_back(c.waiters, local);
  }
  wake_all<Env>(g, out, local);
  return true;
}

template <class Env, class State>
wait_end wait_for_zero(State& c, typename Env::waiter& me, const typename Env::limit& limit) {
  constexpr auto waited_for = countdown::waited_for, one = countdown::one;
  typename Env::guard g(&c);
  std::int64_t s = c.state.load(std::memory_order_acquire);  // [COUNT-2]
  for (;;) {
    if (s < one) return wait_end::ready;
    if (Env::is_over(limit)) return wait_end::timeout;
    if (c.state.compare_exchange_weak(s, s | waited_for, std::memory_order_acquire,  // [COUNT-2]
                                      std::memory_order_acquire))
      break;
  }
  push_back(c.waiters, me);  // COUNT-1
  const wait_end end = Env::park(g, me, limit);
  if (end == wait_end::ready) return end;
  typename Env::guard again(&c);
  if (is_linked(me)) {
    unlink(me);
    if (c.waiters.empty()) c.state.fetch_and(~waited_for, std::memory_order_relaxed);
  }
  return end;
}

}  // namespace weft::detail
