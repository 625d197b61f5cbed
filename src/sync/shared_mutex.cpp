// SPDX-License-Identifier: BSL-1.0
// sync/shared_mutex.cpp - the doors of shared_mutex.hpp.
#include "sync/shared_mutex_core.hpp"

namespace weft::detail {

bool shared_mutex_lock(shared_mutex_state& m, sharing how, const wait_limit& limit) {
  waiter me(park_reason::shared_mutex, &m);
  me.kind = static_cast<std::uint8_t>(how);
  return lock_queued<waiting_env>(m, me, limit);
}

void shared_mutex_unlock(shared_mutex_state& m, sharing how) noexcept {
  unlock_queued<waiting_env>(m, how);
}

}  // namespace weft::detail
