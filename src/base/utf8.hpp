// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/utf8.hpp - names are bytes of the application's; what they are written into is UTF-8.
// Rejected: a library (the encoder of JSON has one, inside): it is this one table.

#include <cstddef>
#include <string_view>

namespace weft::detail {

/// Bytes of the character at the front of `text`, 1 to 4; 0 if there is no whole one. Neither a
/// longer form than needed nor a half of a surrogate pair is one.
[[nodiscard]] constexpr std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return text.empty() ? 0 : 1;
  const std::size_t length = first >= 0xc2 && first < 0xe0   ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (length == 0 || second < least || second > most) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  return length;
}

/// `text` without what a cut has left of its last character.
[[nodiscard]] constexpr std::string_view without_half_character(std::string_view text) noexcept {
  std::size_t begin = text.size();
  while (begin > 0 && text.size() - begin < 3 &&
         (static_cast<unsigned char>(text[begin - 1]) & 0xc0U) == 0x80)
    --begin;
  if (begin == 0 || static_cast<unsigned char>(text[begin - 1]) < 0xc0) return text;
  return utf8_length(text.substr(begin - 1)) == 0 ? text.substr(0, begin - 1) : text;
}

}  // namespace weft::detail
