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
//         notify_all notifies all of them by taking the list: from the first time it lets go of the
//         guard, neither it nor those that wait in its own list touch the object.
//   CV-3  `waiting` is set exactly while the list is not empty.
// Rejected: parking before the unlock (the user's unlock may wake an agent, and then must be able
// to wait for a processor itself); a sequence number to compare (wakes the wrong one, or one too
// many); a count of the waiters (one that times out in notify_all's list would have to know that it
// is not counted any more).

#include "sync/waiting.hpp"

namespace weft::detail {

// Under the guard.
template <class Env, class State>
void leave_condition(State& c, typename Env::waiter& me) noexcept {
  if (!is_linked(me)) return;
  // CV-2: an address is compared, and what has it may be gone; `me` is in another list then.
  const bool is_last = me.next == &c.waiters.head && me.prev == &c.waiters.head;
  unlink(me);
  if (is_last) c.waiting.store(0, std::memory_order_relaxed);  // CV-3
}

template <class Env, class State, class Unlock>
wait_end wait_for_notification(State& c, typename Env::waiter& me, const typename Env::limit& limit,
                               Unlock&& unlock_user_lock) {
  {
    typename Env::guard g(&c);
    push_back(c.waiters, me);
    c.waiting.store(1, std::memory_order_relaxed);  // CV-3
  }
  try {
    unlock_user_lock();
  } catch (...) {  // no wait, then: the waiter is on a stack that is being unwound
    typename Env::guard g(&c);
    leave_condition<Env>(c, me);
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
  leave_condition<Env>(c, me);
  return end;
}

/// Under the guard; `w` is in no list any more. False: it gave up before.
template <class Env>
[[nodiscard]] bool notify_waiter(typename Env::wake_list& out, typename Env::waiter& w) noexcept {
  if (w.parks) return out.claim(w);
  w.given = true;
  return true;
}

template <class Env, class State>
void notify_first(State& c) noexcept {
  typename Env::wake_list out;
  typename Env::guard g(&c);
  while (auto* w = pop_front<typename Env::waiter>(c.waiters)) {
    if (c.waiters.empty()) c.waiting.store(0, std::memory_order_relaxed);  // CV-3, before CV-2
    if (notify_waiter<Env>(out, *w)) return;
  }
}

template <class Env, class State>
void notify_everyone(State& c) noexcept {
  typename Env::wait_list local;
  typename Env::wake_list out;
  typename Env::guard g(&c);
  splice_back(local, c.waiters);
  c.waiting.store(0, std::memory_order_relaxed);  // CV-3
  for (int n = 1; auto* w = pop_front<typename Env::waiter>(local); ++n) {
    static_cast<void>(notify_waiter<Env>(out, *w));
    let_others_in<Env>(g, out, n);
  }
}

}  // namespace weft::detail
