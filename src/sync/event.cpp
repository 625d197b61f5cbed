// SPDX-License-Identifier: BSL-1.0
// sync/event.cpp - the entry points of weft/event.hpp; see event_core.hpp.
#include <weft/event.hpp>

#include "sync/event_core.hpp"

namespace weft::detail {

void event_set(event& e) noexcept { set_event<waiting_env>(&e, e.set_, e.waiters_); }

wait_end event_wait(event& e, const wait_limit& limit) {
  yield_if_requested_slow();
  waiter me(park_reason::event, &e);
  return wait_or_throw(
      me, [&] { return wait_for_event<waiting_env>(&e, e.set_, e.waiters_, me, limit); });
}

}  // namespace weft::detail
