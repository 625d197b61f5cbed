// SPDX-License-Identifier: BSL-1.0
// sync/event.cpp - a flag and its waiters.
//   EVENT-1  a reader that sees the flag sees what came before set().
//   EVENT-2  the flag is the last thing set() touches of the object: a waiter that saw it may
//            destroy the object.
#include <weft/event.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

void event_set(event& e) noexcept {
  wait_list local;
  wake_list out;
  waiting_guard g(&e);
  splice_back(local, e.waiters_);
  e.set_.store(1, std::memory_order_release);  // EVENT-2; [EVENT-1] is_set
  wake_all<waiting_env>(g, out, local);
}

wait_end event_wait(event& e, const wait_limit& limit) {
  yield_if_requested_slow();
  waiter me(park_reason::event, &e);
  return wait_or_throw(me, [&] {
    return wait_unless<waiting_env>(me, e.waiters_, &e, limit, [&] { return e.is_set(); });
  });
}

}  // namespace weft::detail
