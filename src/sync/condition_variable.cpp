// SPDX-License-Identifier: BSL-1.0
// sync/condition_variable.cpp - the entry points of condition_variable.hpp.
#include <weft/condition_variable.hpp>

#include "sync/condition_core.hpp"

namespace weft::detail {

wait_end condition_wait(condition_state& c, const unlockable& l, const wait_limit& limit) {
  yield_if_requested_slow();
  waiter me(park_reason::condition_variable, &c);
  return wait_or_throw(me, [&] {
    return wait_for_notification<waiting_env>(c, me, limit, [&] { l.unlock(l.lock); });
  });
}

void condition_notify(condition_state& c, std::uint32_t most) noexcept {
  most == 1 ? notify_first<waiting_env>(c) : notify_everyone<waiting_env>(c);
}

}  // namespace weft::detail
