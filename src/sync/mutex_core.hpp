// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/mutex_core.hpp - the mutex when it is not free, or has waiters.
//
//   locked      set by the agent that takes it, anywhere; cleared by the owner
//   waited_for  exactly while the list is not empty; written under the guard
//   woken       a waiter was woken and is on its way to compete: wake no other. Set under the guard
//               by the owner, cleared by that waiter when it takes the mutex or goes back to the
//               front
//   owned       `owner` is valid; the owner's, in builds with assertions
//   given       the owner got it from the unlock of the one before; cleared with `locked`
//   hurry       the woken waiter has waited longer than `patience`; set and cleared with `woken`
//
//   unlock: if there are no waiters, or one is on its way: just clear `locked`.
//           Else, under the guard, look at the first waiter. If it has waited longer than
//           `patience`, it is given the mutex, which stays locked, unless the caller was given it,
//           too. Otherwise it is woken and the mutex freed: it competes with later callers.
//   lock:   if it is free, take it; but with `hurry` set, unlock it, yield, and try again, once:
//           the woken waiter runs then, and not at the end of the caller's turn.
//           Else, under the guard, queue: at the end, or at the front if it was woken and lost.
//
//   MUTEX-1  one owner at a time; the next one sees what the last one did.
//   MUTEX-2  if an agent waits and the mutex has no owner, a woken waiter is on its way: no waiter
//            is left behind.
//   MUTEX-3  an owner that unlocks writes the word last: after that the mutex may be destroyed.
//   MUTEX-4  a waiter that has waited `patience` and is first gets the mutex at the next unlock, or
//            at the one after.
// Rejected: handing over always (each lock under contention then costs a switch), or every time to
// an impatient waiter (an agent that locks two at once, as std::lock does, finds the second one
// given to an agent that has not run yet, gives the first one away likewise, and none of them ever
// has both); waking after the word is free (breaks MUTEX-3); a mode bit for starvation as Go has it
// (the queue's times say it).

#include <weft/mutex.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

inline constexpr std::int64_t mutex_patience_ns = 1'000'000;

template <class Env, class State>
bool lock_contended(State& m, typename Env::waiter& me, const typename Env::limit& limit) {
  constexpr auto locked = mutex_state::locked, waited_for = mutex_state::waited_for,
                 woken = mutex_state::woken, hurry = mutex_state::hurry;
  bool was_woken = false;
  me.since = Env::now();
  for (;;) {
    const bool over = Env::is_over(limit);
    const std::uint32_t clear = was_woken ? woken | hurry : 0;
    typename Env::guard g(&m);
    std::uint32_t w = m.word.load(std::memory_order_relaxed);
    for (;;) {
      const bool is_free = (w & locked) == 0;
      const std::uint32_t next = (is_free ? w | locked : over ? w : w | waited_for) & ~clear;
      if (!m.word.compare_exchange_weak(w, next, std::memory_order_acquire,
                                        std::memory_order_relaxed))  // [MUTEX-1]
        continue;
      if (is_free) return true;
      if (over) return false;  // MUTEX-2: locked, so its owner will look at the others
      break;
    }
    if (was_woken)
      push_front(m.waiters, me);  // MUTEX-4: no waiter overtakes it in the queue
    else
      push_back(m.waiters, me);
    if (Env::park(g, me, limit) != wait_end::ready) {
      typename Env::guard again(&m);
      if (is_linked(me)) {
        unlink(me);
        if (m.waiters.empty()) m.word.fetch_and(~waited_for, std::memory_order_relaxed);
      }
      return false;
    }
    if (me.given) return true;
    was_woken = true;
  }
}

template <class Env, class State>
void unlock_contended(State& m) noexcept {
  constexpr auto locked = mutex_state::locked, waited_for = mutex_state::waited_for,
                 woken = mutex_state::woken, owned = mutex_state::owned, given = mutex_state::given,
                 hurry = mutex_state::hurry;
  std::uint32_t w = m.word.load(std::memory_order_relaxed);
  while ((w & (waited_for | woken)) != waited_for)
    if (m.word.compare_exchange_weak(w, w & ~(locked | owned | given),
                                     std::memory_order_release,  // [MUTEX-1]
                                     std::memory_order_relaxed))
      return;
  typename Env::wake_list out;
  typename Env::guard g(&m);
  // Under the guard, locked by us, no waiter on its way: the word is ours to store. Others can only
  // try to set `locked`.
  const std::int64_t impatient = Env::now() - mutex_patience_ns;
  while (auto* first = pop_front<typename Env::waiter>(m.waiters)) {
    const std::uint32_t rest = m.waiters.empty() ? 0 : waited_for;
    const bool hurries = first->since <= impatient;
    if ((w & given) == 0 && hurries) {
      first->given = true;
      m.word.store(locked | given | rest, std::memory_order_relaxed);
      if (out.claim(*first)) return;  // MUTEX-4; the claim orders
    } else if (out.claim(*first)) {
      m.word.store(woken | (hurries ? hurry : 0) | rest,
                   std::memory_order_release);  // [MUTEX-1]; MUTEX-3
      return;
    }
  }
  m.word.store(0, std::memory_order_release);
}

/// In the place of a waiter that was woken, or given the mutex, and never runs [LEFT-1].
template <class Env, class State>
void pass_on(State& m) noexcept {
  constexpr auto locked = mutex_state::locked, woken = mutex_state::woken,
                 hurry = mutex_state::hurry;
  {
    // As that waiter would: under the guard, because its waker claims it before it writes the word;
    // it takes the mutex if that is free. Otherwise, MUTEX-2: its owner looks at the next one.
    typename Env::guard g(&m);
    std::uint32_t w = m.word.load(std::memory_order_relaxed);
    while ((w & woken) != 0)
      if (m.word.compare_exchange_weak(w, (w | locked) & ~(woken | hurry),
                                       std::memory_order_acquire,  // [MUTEX-1]
                                       std::memory_order_relaxed)) {
        if ((w & locked) != 0) return;
        break;
      }
  }
  unlock_contended<Env>(m);
}
/// Of a mutex_state.
void pass_on_mutex(const void* mutex) noexcept;

}  // namespace weft::detail
