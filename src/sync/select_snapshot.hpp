// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/select_snapshot.hpp - the cases that a fiber's select waits for, for reports.

#include <cstdint>
#include <vector>

#include <weft/detail/select.hpp>

#include "fiber/record.hpp"

namespace weft::detail {

/// `waiter` was seen parked for `object` (park_reason::select) with this word. Empty: it is no
/// more, or its memory may not be read. What a case points to may be gone when this returns; only
/// the addresses are good.
[[nodiscard]] std::vector<select_case> read_select(const void* object, const fiber_record& waiter,
                                                   std::uint64_t word);

}  // namespace weft::detail
