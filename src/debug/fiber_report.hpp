// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/fiber_report.hpp - one fiber in words, for reports of every kind.

#include <cstdint>
#include <string>
#include <vector>

#include "fiber/record.hpp"

namespace weft::detail {

/// `fiber 12 "reader": parked, fd read, at 0x7f..` and its stack, innermost call first, one line
/// each. Of a channel it says how many others wait there. The fiber may go on meanwhile; a running
/// one is asked for its calls by a signal. Holds the runtimes (runtimes_held) for a moment.
[[nodiscard]] std::string describe(fiber_record& f);

/// The paragraph that a dump has for the fiber with this id, alone; empty: there is none. As
/// `describe`.
[[nodiscard]] std::string dump_fiber(std::uint64_t id);

/// The addresses of its calls, innermost first, if it is still the fiber with this id. As
/// `describe`.
[[nodiscard]] std::vector<const void*> calls_of(fiber_record& f, std::uint64_t id);

}  // namespace weft::detail
