// SPDX-License-Identifier: BSL-1.0
#pragma once
// api/end_of_fiber.hpp - what a fiber that ends runs of the user's (upper_layers, which says what
// each does).

#include "fiber/record.hpp"

namespace weft::detail {

void drop_locals(fiber_record& f) noexcept;     // fiber_local.cpp
void finish_rare(fiber_record& f) noexcept;     // tasks.cpp
void dispose_result(fiber_record& f) noexcept;  // tasks.cpp

}  // namespace weft::detail
