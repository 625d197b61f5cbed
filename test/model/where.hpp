// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/where.hpp - the source line of an operation, taken by default argument at the call.
// Rejected: std::source_location (clang 14 has not got the builtin libstdc++ wants).

namespace weft::model {

struct where {
  const char* file = "";
  int line = 0;

  static constexpr where here(const char* f = __builtin_FILE(), int l = __builtin_LINE()) noexcept {
    return {f, l};
  }
};

}  // namespace weft::model
