// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/misuse.hpp - reports of misuse, which end the process: the caller, the object and its owner,
// the places.

#include <string>

#include "fiber/record.hpp"

namespace weft::detail {

/// `fiber 12 "name"`, or `thread 4711`.
[[nodiscard]] std::string agent_name(fiber_record& r);

/// `what` on stderr, the calls that led here, then abort.
[[noreturn]] void report_misuse(const std::string& what) noexcept;
/// The same and, below `locked_by`, the calls that locked the mutex at `mutex`; at least
/// `locked_at`, if that is known.
[[noreturn]] void report_misuse(const std::string& what, const char* locked_by, const void* mutex,
                                const void* locked_at) noexcept;

}  // namespace weft::detail
