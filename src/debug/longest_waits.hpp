// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/longest_waits.hpp - the fibers that have been parked longest, for a view that asks every
// second.

#include <cstddef>
#include <string>

namespace weft::detail {

/// A line for each of up to `most`, the longest wait first, of four fields with tabs between them:
/// nanoseconds, the reason, `fiber 12 "name"`, and the function that waits, if it is known. Looks
/// at every record: some 100 ms for a million. Throws std::bad_alloc.
[[nodiscard]] std::string longest_waits(std::size_t most);

}  // namespace weft::detail
