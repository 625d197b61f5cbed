// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/clock.hpp - time stamps that order across threads, for a few nanoseconds each: the
// processor's counter where the processor says that it runs evenly and the kernel trusts it, else
// CLOCK_MONOTONIC.

#include <cstdint>

#include "os/os.hpp"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace weft::detail::trace {

extern constinit bool clock_is_counter;  // written by prepare_clock

[[nodiscard]] inline std::uint64_t ticks_now() noexcept {
#if defined(__x86_64__)
  if (clock_is_counter) [[likely]]
    return __rdtsc();
#endif
  return static_cast<std::uint64_t>(os::now_ns());
}

/// The same where it is a matter of one instruction; else false.
[[nodiscard]] inline bool quick_ticks(std::uint64_t& now) noexcept {
#if defined(__x86_64__)
  if (clock_is_counter) [[likely]] {
    now = __rdtsc();
    return true;
  }
#endif
  static_cast<void>(now);
  return false;
}

/// One moment on both clocks.
struct clock_pair {
  std::uint64_t ticks;
  std::int64_t ns;
};
[[nodiscard]] clock_pair clocks_now() noexcept;

/// Chooses the clock, once, before it is read; measures it, which takes some milliseconds the first
/// time.
void prepare_clock() noexcept;
[[nodiscard]] std::uint64_t ticks_per_second() noexcept;

}  // namespace weft::detail::trace
