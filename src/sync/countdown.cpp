// SPDX-License-Identifier: BSL-1.0
// sync/countdown.cpp - the entry points of detail/countdown.hpp.
#include <weft/detail/countdown.hpp>

#include "sync/countdown_core.hpp"
#include "sync/misuse.hpp"

namespace weft::detail {

void countdown_out_of_range() noexcept {
  report_misuse("a latch or wait_group was given a negative count, or more than its max()");
}

void countdown_take(countdown& c, std::int64_t n, const char* underflow) noexcept {
  if (!take_from_count<waiting_env>(c, n)) [[unlikely]]
    report_misuse(underflow);
}

wait_end countdown_wait(countdown& c, countdown_kind kind, const wait_limit& limit) {
  yield_if_requested_slow();
  waiter me(kind == countdown_kind::latch ? park_reason::latch : park_reason::wait_group, &c);
  return wait_or_throw(me, [&] { return wait_for_zero<waiting_env>(c, me, limit); });
}

}  // namespace weft::detail
