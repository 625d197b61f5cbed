// SPDX-License-Identifier: BSL-1.0
#pragma once
// words.hpp - lines, words and bytes of a text, counted in pieces that can be joined.
#include <array>
#include <cstddef>
#include <cstdint>

namespace examples {

// What a byte means to a word. wc of GNU coreutils before 9.5 does not let a byte that the C locale
// cannot print begin a word; POSIX and later versions do.
enum byte_kind : std::uint8_t { neutral = 0, part = 1, space = 2 };
enum class word_rule { printable, any_byte };
using byte_table = std::array<byte_kind, 256>;

inline byte_table make_table(word_rule rule) {
  byte_table table{};
  for (int c = 0; c < 256; ++c) {
    const bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
    const bool begins = rule == word_rule::any_byte || (c > ' ' && c < 0x7f);
    table[static_cast<std::size_t>(c)] = is_space ? space : begins ? part : neutral;
  }
  return table;
}

/// The counts of a piece, and how its two ends look: a word may begin in one piece and end in the
/// next.
struct counts {
  std::uint64_t lines = 0, words = 0, bytes = 0;
  bool starts_in_word = false;  // the run before the first space is (part of) a word
  bool has_space = false;
  bool ends_in_word = false;
  int error = 0;  // errno: the file could not be read to its end

  /// Counts what follows in the same piece.
  void add(const char* data, std::size_t size, const byte_table& table) {
    bytes += size;
    for (std::size_t i = 0; i < size; ++i) {
      const byte_kind kind = table[static_cast<unsigned char>(data[i])];
      lines += data[i] == '\n';
      words += (kind == part) & !ends_in_word;
      starts_in_word |= (kind == part) & !has_space;
      has_space |= kind == space;
      ends_in_word = (ends_in_word | (kind == part)) & (kind != space);
    }
  }

  /// Joins the next piece.
  void append(const counts& next) {
    lines += next.lines;
    bytes += next.bytes;
    words += next.words - (ends_in_word && next.starts_in_word);
    ends_in_word = next.ends_in_word || (ends_in_word && !next.has_space);
  }
};

}  // namespace examples
