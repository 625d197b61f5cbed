// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/one_line.hpp - a name as reports show it. It may contain line breaks, and programs read the
// reports line by line.

#include <string>
#include <string_view>

namespace weft::detail {

/// Control characters as \n, \t, \x1b, in the rest of the text nothing is changed.
[[nodiscard]] inline std::string one_line(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u != 0x7f)
      out += c;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else
      out.append("\\x").append({digits[u >> 4U], digits[u & 15U]});
  }
  return out;
}

}  // namespace weft::detail
