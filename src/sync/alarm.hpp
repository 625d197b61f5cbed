// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/alarm.hpp - timer and ticker, as their waits and select see them.
//   ALARM-1  a firing is taken once: `due` is looked at and moved on under one lock.
//   ALARM-2  whoever moves `due` wakes those who wait for it; they look again.

#include <cstdint>

#include <weft/detail/alarm.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

// ---- under the lock of `a`
[[nodiscard]] inline bool take_if_due(alarm_state& a, std::int64_t now) noexcept {
  if (a.due > now) return false;
  if (a.period == 0)
    a.due = alarm_state::never;
  else
    a.due += a.period * ((now - a.due) / a.period + 1);  // missed ticks are dropped
  return true;
}

}  // namespace weft::detail
