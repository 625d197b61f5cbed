// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/dumps.hpp - what tests look for in the text of dump_fibers.

#include <algorithm>
#include <cstddef>
#include <regex>
#include <string>

#include <weft/debug.hpp>

#include "support/runtimes.hpp"

namespace weft::test {

inline bool matches(const std::string& text, const std::string& pattern) {
  return std::regex_search(text, std::regex(pattern));
}

/// The paragraph that has `words` in its first line; empty: none.
inline std::string paragraph(const std::string& dump, const std::string& words) {
  for (std::size_t at = 0; at < dump.size();) {
    const std::size_t end = std::min(dump.find("\n\n", at), dump.size());
    const std::string p = dump.substr(at, end - at);
    if (p.substr(0, p.find('\n')).find(words) != std::string::npos) return p;
    at = end + 2;
  }
  return {};
}

// A dump in which that paragraph is: fibers need a moment to get where they are going.
inline std::string paragraph_of(const std::string& words, const std::string& pattern) {
  std::string p;
  until([&] { return matches(p = paragraph(weft::debug::dump_fibers(), words), pattern); });
  return p;
}

}  // namespace weft::test
