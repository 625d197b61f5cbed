// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/one_line.hpp - a name as reports show it. It may contain line breaks, and programs read the
// reports line by line; or bytes that a terminal or a reader of UTF-8 does not take.

#include <algorithm>
#include <string>
#include <string_view>

#include "base/utf8.hpp"

namespace weft::detail {

/// Control characters as \n, \t, \x1b, and so are bytes that are no UTF-8; in the rest of the text
/// nothing is changed.
[[nodiscard]] inline std::string one_line(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view next = text.substr(0, std::max<std::size_t>(length, 1));
    text.remove_prefix(next.size());
    const auto first = static_cast<unsigned char>(next[0]);
    // U+0080 to U+009F are controls, too
    const bool control =
        first < 0x20 || first == 0x7f ||
        (first == 0xc2 && length == 2 && static_cast<unsigned char>(next[1]) < 0xa0);
    if (length != 0 && !control) {
      out += next;
    } else if (first == '\n') {
      out += "\\n";
    } else if (first == '\t') {
      out += "\\t";
    } else {
      for (const char c : next) {
        const auto u = static_cast<unsigned char>(c);
        out.append("\\x").append({digits[u >> 4U], digits[u & 15U]});
      }
    }
  }
  return out;
}

}  // namespace weft::detail
