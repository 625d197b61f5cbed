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
//   RW-4  an owner that leaves claims first, writes the word when it knows who has the lock, and
//         lets them go after that (WAIT-4).
//   RW-5  with assertions, the writer is written before `owned` is set (release), and read after
//         `owned` was seen (acquire).

#include <weft/shared_mutex.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

// Under the guard. Those who are in from now on are claimed, and held [WAIT-4]: all readers up to
// the next writer; or, if `w` is 0, a writer. Returns the word with them, without waited_for.
template <class Env, class State>
[[nodiscard]] std::uint32_t claim_first(State& m, typename Env::wake_list& out,
                                        typename Env::wait_list& held, std::uint32_t w) noexcept {
  constexpr auto writer = shared_mutex_state::writer, reader = shared_mutex_state::reader;
  while (auto* first = front<typename Env::waiter>(m.waiters)) {
    const bool exclusive = first->kind == static_cast<std::uint8_t>(sharing::exclusive);
    if (exclusive && w != 0) break;
    unlink(*first);
    if (!out.claim(*first)) continue;
    push_back(held, *first);
    if (exclusive) return writer;
    w += reader;
  }
  return w;
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
    if (Env::park(g, me, limit) == wait_end::ready) {
      wait_to_be_let_go<Env>(me, &m);
      return true;
    }
  }
  typename Env::wait_list held;
  typename Env::wake_list out;
  typename Env::guard g(&m);
  if (!is_linked(me)) return false;
  unlink(me);
  if (const std::uint32_t w = m.word.load(std::memory_order_relaxed); (w & writer) == 0) {
    // RW-3. Readers may leave at this moment, but not the last one while the bit is set: it waits
    // for the guard. Relaxed [RW-1]: the last writer left under the guard, or before the bit was
    // set, by a step that acquires.
    const std::uint32_t more = claim_first<Env>(m, out, held, w) - w;
    if (more != 0) m.word.fetch_add(more, std::memory_order_relaxed);
  }
  if (m.waiters.empty()) m.word.fetch_and(~waited_for, std::memory_order_relaxed);
  let_go<Env>(held);
  return false;
}

template <class Env, class State>
void unlock_queued(State& m, sharing how) noexcept {
  constexpr auto writer = shared_mutex_state::writer, waited_for = shared_mutex_state::waited_for,
                 owned = shared_mutex_state::owned, reader = shared_mutex_state::reader;
  const std::uint32_t mine = how == sharing::exclusive ? writer : reader;
  typename Env::wait_list held;
  typename Env::wake_list out;
  typename Env::guard g(&m);
  std::uint32_t w = m.word.load(std::memory_order_acquire);  // [RW-1] what the other readers did
  for (;;) {
    // RW-2: with the bit set and one of us left, only the guard's holder writes.
    if ((w & ~owned) == (mine | waited_for)) break;
    if (m.word.compare_exchange_weak(w, (w & ~owned) - mine, std::memory_order_acq_rel,  // [RW-1]
                                     std::memory_order_acquire))
      return;
  }
  w = claim_first<Env>(m, out, held, 0);
  m.word.store(w | (m.waiters.empty() ? 0 : waited_for),
               std::memory_order_release);  // [RW-1]; RW-4
  let_go<Env>(held);
}

}  // namespace weft::detail
