// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/misuse.hpp - reports of misuse end the process: who, whom it concerns, where.

#include <string>

#include "fiber/record.hpp"

namespace weft::detail {

/// `fiber 12 "name"`, or `thread 4711`.
[[nodiscard]] std::string strand_name(fiber_record& r);

/// `what` on stderr, the calls that led here, the calls that led to `elsewhere` (an address, or
/// null), then abort.
[[noreturn]] void report_misuse(const std::string& what, const void* elsewhere = nullptr,
                                const char* elsewhere_is = "") noexcept;

}  // namespace weft::detail
