// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/countdown.hpp - a count and the waiters for its zero: latch and wait_group.

#include <atomic>
#include <cstdint>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace weft {
namespace WEFT_API detail {

struct countdown {
  static constexpr std::int64_t waited_for = 1, one = 2;

  constexpr explicit countdown(std::int64_t n) noexcept : state(n * one) {}
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
