// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/cache_line.hpp - the distance two threads keep so that they do not share a line.
// Rejected: std::hardware_destructive_interference_size (gcc warns: it varies with -mtune).

#include <cstddef>

namespace weft::base {

inline constexpr std::size_t cache_line = 64;

}  // namespace weft::base
