// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/no_preempt.hpp - a region that the preemption signal leaves alone.
#include <weft/detail/requirements.hpp>

namespace weft {

namespace detail {
void forbid_preemption() noexcept;
void allow_preemption() noexcept;
}  // namespace detail

/// While one is alive, the calling fiber is not preempted by the signal (options::preempt_signal):
/// for code that measures time, or talks to hardware. Nests. The fiber still gives way where it
/// waits or yields, and a blocking call still loses it its processor. For a whole fiber:
/// attributes::preemptible.
///
/// Blocks: never.   Lifetime: ends in the fiber that began it.
/// Example: test/unit/examples_fibers_test.cpp [no_preempt]
/// ```
///   {
///     const weft::no_preempt together;
///     write_registers();
///   }
/// ```
class [[nodiscard]] no_preempt {
 public:
  no_preempt() noexcept { detail::forbid_preemption(); }
  ~no_preempt() { detail::allow_preemption(); }
  no_preempt(const no_preempt&) = delete;
  no_preempt& operator=(const no_preempt&) = delete;
};

}  // namespace weft
