// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/timer_state.hpp - a moment, once or periodic. Nothing runs when it comes: each waiter
// waits with the moment as its deadline, so a timer without waiters costs nothing.

#include <chrono>
#include <cstdint>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace weft {
namespace WEFT_API detail {

struct timer_state {
  static constexpr std::int64_t never = never_ns;
  // Set but never due: its waiters wait until it is moved.
  static constexpr std::int64_t latest = never - 1;

  wait_list waiters;
  std::int64_t due = never;  // steady clock, ns; never: stopped, or taken
  std::int64_t period = 0;   // 0: once
};

enum class timer_wait_end : std::uint8_t { fired, idle, timeout, stopped };

/// Takes the firing, and waits for it while the timer is set.
[[nodiscard]] timer_wait_end timer_wait(timer_state& a, const wait_limit& limit);
[[nodiscard]] bool timer_take(timer_state& a) noexcept;  // without waiting
/// Returns false if the timer was not set, or was due already.
bool timer_set(timer_state& a, std::chrono::steady_clock::time_point due,
               std::int64_t period) noexcept;
bool timer_stop(timer_state& a) noexcept;

}  // namespace WEFT_API detail
}  // namespace weft
