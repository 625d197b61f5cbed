// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/overflow.hpp - a fiber that runs off its stack ends the process, and says which fiber, and
// what to do.

#include "fiber/record.hpp"

namespace weft::detail {

/// Puts the report in front of the process's handlers for SIGSEGV and SIGBUS; once per process, so
/// that a handler the application installs later stays in front. Faults that are no overflow reach
/// the handlers that were there before. Not under AddressSanitizer, which reports them itself.
void install_overflow_report() noexcept;

/// The same for stacks without a guard page, by the fiber itself: reports, and ends the process.
[[gnu::noinline]] void report_overflow(const fiber_record& f) noexcept;

}  // namespace weft::detail
