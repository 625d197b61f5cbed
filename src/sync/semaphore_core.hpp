// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/semaphore_core.hpp - permits, given to waiters directly.
//
//   SEM-1  an agent that acquires sees what came before the release of the permit.
//   SEM-2  while an agent waits there is no free permit: the bit is set only when there is none,
//          and a release that sees the bit works under the guard. So no agent overtakes the queue,
//          and no permit is left beside a waiter.
//   SEM-3  a permit for a waiter that gives up goes to the next one, or back into the count.
// Waiters are claimed before the word is written, and let go after it (WAIT-4): an agent that was
// let through may destroy the semaphore.

#include <weft/semaphore.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

template <class Env, class State>
wait_end acquire_permit(State& s, typename Env::waiter& me, const typename Env::limit& limit) {
  constexpr auto waited_for = semaphore_state::waited_for, one = semaphore_state::one;
  const bool over = Env::is_over(limit);
  typename Env::guard g(&s);
  std::int64_t w = s.word.load(std::memory_order_relaxed);
  for (;;) {
    if (w < one && over) return wait_end::timeout;
    const std::int64_t next = w >= one ? w - one : waited_for;
    if (s.word.compare_exchange_weak(w, next, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {  // [SEM-1]
      if (w >= one) return wait_end::ready;
      break;
    }
  }
  push_back(s.waiters, me);
  const wait_end end = Env::park(g, me, limit);
  if (end == wait_end::ready) {
    wait_to_be_let_go<Env>(me, &s);
    return end;
  }
  typename Env::guard again(&s);
  if (is_linked(me)) {
    unlink(me);
    if (s.waiters.empty())
      s.word.store(0, std::memory_order_relaxed);  // SEM-2: no other agent writes it now
  }
  return end;
}

/// False: there are more than `most` free permits now.
template <class Env, class State>
bool release_permits(State& s, std::int64_t n, std::int64_t most = semaphore_state::most) noexcept {
  constexpr auto waited_for = semaphore_state::waited_for, one = semaphore_state::one;
  typename Env::wait_list held;
  typename Env::wake_list out;
  typename Env::guard g(&s);
  if (s.waiters.empty())  // they have left meanwhile
    return s.word.fetch_add(n * one, std::memory_order_release) / one <= most - n;  // [SEM-1]
  while (n > 0) {
    auto* w = pop_front<typename Env::waiter>(s.waiters);
    if (w == nullptr) break;
    if (!out.claim(*w)) continue;  // SEM-3
    push_back(held, *w);
    --n;
  }
  // SEM-2: the bit is set, so the word is ours. The rest is free; if an agent still waits, nothing
  // is.
  s.word.store(s.waiters.empty() ? n * one : waited_for, std::memory_order_release);  // [SEM-1]
  let_go<Env>(held);
  return n <= most;
}

}  // namespace weft::detail
