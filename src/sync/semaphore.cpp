// SPDX-License-Identifier: BSL-1.0
// sync/semaphore.cpp - the entry points of semaphore.hpp.
#include <weft/semaphore.hpp>

#include "sync/misuse.hpp"
#include "sync/semaphore_core.hpp"

namespace weft::detail {

wait_end semaphore_acquire(semaphore_state& s, const wait_limit& limit) {
  yield_if_requested_slow();
  waiter me(park_reason::semaphore, &s);
  return wait_or_throw(me, [&] { return acquire_permit<waiting_env>(s, me, limit); });
}

void semaphore_release_contended(semaphore_state& s, std::ptrdiff_t n,
                                 std::ptrdiff_t most) noexcept {
  if (n < 0 || n > semaphore_state::most || !release_permits<waiting_env>(s, n, most))
    semaphore_overflow();
}

void semaphore_overflow() noexcept {
  report_misuse("a semaphore was given a negative number of permits, or more than its max()");
}

}  // namespace weft::detail
