// SPDX-License-Identifier: BSL-1.0
// nqueens/queens.hpp - a board of N columns as three sets of bits: where the next row's queen would
// be attacked along the column and along the two diagonals.
#pragma once

#include <cstdint>

namespace bench {

struct board {
  std::uint32_t columns = 0;
  std::uint32_t left = 0;
  std::uint32_t right = 0;

  std::uint32_t free(std::uint32_t all) const { return all & ~(columns | left | right); }
  board with(std::uint32_t queen) const {
    return {columns | queen, (left | queen) << 1, (right | queen) >> 1};
  }
};

}  // namespace bench
