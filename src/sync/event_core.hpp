// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/event_core.hpp - a flag and its waiters.
//   EVENT-1  a reader that sees the flag sees what came before set().
//   EVENT-2  the flag is the last thing set() touches of the object: a waiter that saw it may
//            destroy the object.

#include "sync/waiting.hpp"

namespace weft::detail {

/// `object` selects the lock.
template <class Env>
void set_event(const void* object, typename Env::template atomic<std::uint32_t>& flag,
               typename Env::wait_list& waiters) noexcept {
  typename Env::wait_list local;
  typename Env::wake_list out;
  typename Env::guard g(object);
  splice_back(local, waiters);
  flag.store(1, std::memory_order_release);  // EVENT-2; [EVENT-1] is_set, which takes no lock
  wake_all<Env>(g, out, local);
}

template <class Env>
wait_end wait_for_event(const void* object, typename Env::template atomic<std::uint32_t>& flag,
                        typename Env::wait_list& waiters, typename Env::waiter& me,
                        const typename Env::limit& limit) {
  // relaxed: set_event has the guard
  return wait_unless<Env>(me, waiters, object, limit,
                          [&] { return flag.load(std::memory_order_relaxed) != 0; });
}

}  // namespace weft::detail
