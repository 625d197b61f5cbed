// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/countdown.hpp - a count and the waiters for its zero: latch and wait_group.

#include <atomic>
#include <cstdint>
#include <limits>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace weft {
namespace WEFT_API detail {

/// Ends the process with a report.
[[noreturn]] void countdown_out_of_range() noexcept;

struct countdown {
  static constexpr std::int64_t waited_for = 1, one = 2;
  static constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 4;

  constexpr explicit countdown(std::int64_t n) noexcept : state(checked(n) * one) {}
  [[nodiscard]] static constexpr std::int64_t checked(std::int64_t n) noexcept {
    if (n < 0 || n > most) [[unlikely]]
      countdown_out_of_range();
    return n;
  }
  [[nodiscard]] std::int64_t count() const noexcept {
    return state.load(std::memory_order_acquire) / one;  // [COUNT-2] take_from_count
  }

  std::atomic<std::int64_t> state;  // the count, and whether anyone waits
  wait_list waiters;
};

/// Takes `n` off. A count below zero reports `underflow` and ends the process.
void countdown_take(countdown& c, std::int64_t n, const char* underflow) noexcept;

enum class countdown_kind : std::uint8_t { latch, wait_group };
wait_end countdown_wait(countdown& c, countdown_kind kind, const wait_limit& limit);

}  // namespace WEFT_API detail
}  // namespace weft
