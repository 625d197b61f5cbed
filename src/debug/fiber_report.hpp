// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/fiber_report.hpp - one fiber in words, for reports of every kind.

#include <string>

#include "fiber/record.hpp"

namespace weft::detail {

/// `fiber 12 "reader": parked, fd read, at 0x7f..` and its stack, innermost call first, one line each.
/// The caller knows that the fiber stays where it is: nothing of its runtime runs, or it holds the wake.
[[nodiscard]] std::string describe(fiber_record& f);

/// The return addresses on the stack of a fiber at rest, innermost first; how many.
std::size_t walk_stack(const fiber_record& f, void** frames, std::size_t most) noexcept;

}  // namespace weft::detail
