// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/shared_mutex_core.hpp - readers and writers in one queue; the lock is handed over.
//
//   the word: `writer`, `waited_for` (exactly while the list is not empty, written under the
//   guard), readers; `owned`: `writer_is` is valid - the writer's, in builds with assertions, gone
//   with `writer`
//
//   RW-1  a writer is alone; an agent that locks sees what was done before the unlocks it excludes.
//   RW-2  while an agent waits no other gets in past the queue, and the last owner to leave works
//         under the guard: it gives the lock to the first in the queue - a writer, or all the
//         readers up to the next writer.
//   RW-3  if the lock is free, no agent waits. Whenever the front of the queue changes (its writer
//         gives up), the readers behind it are checked, too.
//   RW-4  an owner that leaves writes the word before the claims, and after them only for a waiter
//         that gave up, which is still inside its call.
//   RW-5  with assertions, the writer is written before `owned` is set (release), and read after
//         `owned` was seen (acquire).

#include <weft/shared_mutex.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

// Under the guard. `w`: the word without waited_for, as it is to be (no writer, or the caller would
// not ask).
template <class Env, class State>
void grant(State& m, typename Env::wake_list& out, std::uint32_t w) noexcept {
  constexpr auto writer = shared_mutex_state::writer, waited_for = shared_mutex_state::waited_for,
                 reader = shared_mutex_state::reader;
  for (;;) {
    typename Env::wait_list lucky;
    while (auto* first = front<typename Env::waiter>(m.waiters)) {
      const bool exclusive = first->kind == static_cast<std::uint8_t>(sharing::exclusive);
      if (exclusive && w != 0) break;
      unlink(*first);
      push_back(lucky, *first);
      w = exclusive ? writer : w + reader;
      if (exclusive) break;
    }
    m.word.store(w | (m.waiters.empty() ? 0 : waited_for),
                 std::memory_order_release);  // [RW-1]; RW-4
    std::uint32_t refused = 0;
    while (auto* one = pop_front<typename Env::waiter>(lucky))
      if (!out.claim(*one)) refused += w == writer ? writer : reader;
    if (refused == 0) return;
    // Readers that were let in may have left already.
    if (w == writer) {
      w = 0;
      continue;
    }
    w = m.word.fetch_sub(refused, std::memory_order_acq_rel) - refused;
    if ((w & waited_for) == 0 || w >= reader) return;
    w = 0;
  }
}

template <class Env, class State>
bool lock_queued(State& m, typename Env::waiter& me, const typename Env::limit& limit) {
  constexpr auto writer = shared_mutex_state::writer, waited_for = shared_mutex_state::waited_for,
                 reader = shared_mutex_state::reader;
  const bool exclusive = me.kind == static_cast<std::uint8_t>(sharing::exclusive);
  const bool over = Env::is_over(limit);
  {
    typename Env::guard g(&m);
    std::uint32_t w = m.word.load(std::memory_order_relaxed);
    for (;;) {
      const bool can = exclusive ? w == 0 : (w & (writer | waited_for)) == 0;
      if (!can && over) return false;
      const std::uint32_t next = !can ? w | waited_for : exclusive ? writer : w + reader;
      if (!m.word.compare_exchange_weak(w, next, std::memory_order_acquire,
                                        std::memory_order_relaxed))  // [RW-1]
        continue;
      if (can) return true;
      break;
    }
    push_back(m.waiters, me);
    if (Env::park(g, me, limit) == wait_end::ready) return true;
  }
  typename Env::wake_list out;
  typename Env::guard g(&m);
  if (!is_linked(me)) return false;
  unlink(me);
  std::uint32_t w = m.word.load(std::memory_order_relaxed);
  if ((w & writer) == 0) {
    // RW-3. Readers may leave at this moment, but not the last one while the bit is set: it waits
    // for the guard.
    auto* first = front<typename Env::waiter>(m.waiters);
    while (first != nullptr && first->kind == static_cast<std::uint8_t>(sharing::shared)) {
      m.word.fetch_add(reader, std::memory_order_acq_rel);
      unlink(*first);
      if (!out.claim(*first)) {
        // Its count may have hidden from the last reader that it was the last.
        if (m.word.fetch_sub(reader, std::memory_order_acq_rel) - reader < reader) {
          grant<Env>(m, out, 0);
          return false;
        }
      }
      first = front<typename Env::waiter>(m.waiters);
    }
  }
  if (m.waiters.empty()) m.word.fetch_and(~waited_for, std::memory_order_relaxed);
  return false;
}

template <class Env, class State>
void unlock_queued(State& m, sharing how) noexcept {
  constexpr auto writer = shared_mutex_state::writer, waited_for = shared_mutex_state::waited_for,
                 owned = shared_mutex_state::owned, reader = shared_mutex_state::reader;
  const std::uint32_t mine = how == sharing::exclusive ? writer : reader;
  typename Env::wake_list out;
  typename Env::guard g(&m);
  std::uint32_t w = m.word.load(std::memory_order_acquire);  // [RW-1] what the other readers did
  for (;;) {
    // RW-2: with the bit set and one of us left, only the guard's holder writes.
    if ((w & ~owned) == (mine | waited_for)) return grant<Env>(m, out, 0);
    if (m.word.compare_exchange_weak(w, (w & ~owned) - mine, std::memory_order_acq_rel,  // [RW-1]
                                     std::memory_order_acquire))
      return;
  }
}

}  // namespace weft::detail
