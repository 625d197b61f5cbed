// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/quoted.hpp - a text that was refused, for an error that names it.

#include <string>
#include <string_view>

namespace weft::detail {

/// In quotes; control characters as \xNN, so that nothing of it hides the rest of the error.
[[nodiscard]] inline std::string quoted(std::string_view text) {
  constexpr const char* digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out += '"';
}

}  // namespace weft::detail
