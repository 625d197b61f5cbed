// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/condition_core.hpp - a waiter is in the list before its lock is released, and parks after.
//
//   wait:   1 into the list   2 unlock the user's lock   3 unless notified meanwhile, park
//           (4 lock again: the header does it)
//   notify: the first waiter in the list that can be had. One that has not parked is told by
//           `given`, a parked one is claimed. One that has just timed out or was stopped is
//           dropped, and the next one tried.
//
//   CV-1  a notification that finds a waiter ends exactly one wait that had begun before it.
//   CV-2  after it was notified, a waiter does not touch the object: its owner may destroy it.
// Rejected: parking before the unlock (the user's unlock may wake an agent, and then must be able
// to wait for a processor itself); a sequence number to compare (wakes the wrong one, or one too
// many).

#include "sync/waiting.hpp"

namespace weft::detail {

template <class Env, class State, class Unlock>
wait_end wait_for_notification(State& c, typename Env::waiter& me, const typename Env::limit& limit,
                               Unlock&& unlock_user_lock) {
  const auto count = [&c](std::uint32_t by) {
    c.waiting.store(c.waiting.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  };
  {
    typename Env::guard g(&c);
    push_back(c.waiters, me);
    count(1);
  }
  try {
    unlock_user_lock();
  } catch (...) {  // no wait, then: the waiter is on a stack that is being unwound
    typename Env::guard g(&c);
    if (is_linked(me)) {
      unlink(me);
      count(static_cast<std::uint32_t>(-1));
    }
    throw;  // if it was notified meanwhile, CV-2 forbids to pass that on
  }
  typename Env::guard g(&c);
  if (me.given) return wait_end::ready;  // CV-2
  wait_end end = wait_end::timeout;
  if (!Env::is_over(limit)) {
    me.parks = true;
    end = Env::park(g, me, limit);
    if (end == wait_end::ready) return end;  // CV-2
    g.lock();
  }
  if (is_linked(me)) {
    unlink(me);
    count(static_cast<std::uint32_t>(-1));
  }
  return end;
}

template <class Env, class State>
void notify(State& c, std::uint32_t most) noexcept {
  constexpr std::uint32_t at_once = 64;
  typename Env::wake_list out;
  typename Env::guard g(&c);
  std::uint32_t left = c.waiting.load(std::memory_order_relaxed);
  if (most > left) most = left;
  while (most > 0) {
    auto* w = pop_front<typename Env::waiter>(c.waiters);
    if (w == nullptr) return;
    c.waiting.store(c.waiting.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    if (!w->parks)
      w->given = true;
    else if (!out.claim(*w))
      continue;
    if (--most % at_once != 0 || most == 0) continue;
    g.unlock();  // a long list: let others in
    out.flush();
    g.lock();
  }
}

}  // namespace weft::detail
