// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/no_preempt.hpp - a region that the preemption signal leaves alone.
#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

namespace WEFT_API weft {

namespace detail {
void forbid_preemption() noexcept;
void allow_preemption() noexcept;
}  // namespace detail

/// While an object of it exists, the signal (options::preempt_signal) does not preempt the calling
/// fiber. For code that measures time or talks to hardware. Regions may nest.
///
/// The fiber still yields where it waits or calls yield, and still loses its processor in a
/// blocking call. For a whole fiber use attributes::preemptible.
/// Blocks: never.
/// Lifetime: must end in the fiber that began it.
/// Example: test/unit/examples_fibers_test.cpp [no_preempt]
/// ```
///   {
///     const weft::no_preempt together;
///     write_registers();
///   }
/// ```
class [[nodiscard]] no_preempt {
 public:
  /// Begins the region.
  no_preempt() noexcept { detail::forbid_preemption(); }
  /// Ends the region.
  ~no_preempt() { detail::allow_preemption(); }
  no_preempt(const no_preempt&) = delete;
  no_preempt& operator=(const no_preempt&) = delete;
};

}  // namespace WEFT_API weft
