// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/one_line.hpp - a name as reports show it. It may contain line breaks, and programs read the
// reports line by line; or bytes that a terminal or a reader of UTF-8 does not take.

#include <algorithm>
#include <string>
#include <string_view>

#include "base/utf8.hpp"

namespace weft::detail {

/// Bytes of the character at the front of `text`; 0 if it is a control character, U+0080 to U+009F
/// among them, or none of UTF-8.
[[nodiscard]] constexpr std::size_t shown_as_it_is(std::string_view text) noexcept {
  const std::size_t length = utf8_length(text);
  if (length == 0) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  const bool control = length == 1 ? first < 0x20 || first == 0x7f
                                   : first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
  return control ? 0 : length;
}

/// Control characters as \n, \t, \x1b, and so are bytes that are no UTF-8; in the rest of the text
/// nothing is changed.
[[nodiscard]] inline std::string one_line(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = shown_as_it_is(text);
    const auto u = static_cast<unsigned char>(text[0]);
    if (length != 0)
      out += text.substr(0, length);
    else if (u == '\n')
      out += "\\n";
    else if (u == '\t')
      out += "\\t";
    else
      out.append("\\x").append({digits[u >> 4U], digits[u & 15U]});
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

}  // namespace weft::detail
