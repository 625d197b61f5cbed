// SPDX-License-Identifier: BSL-1.0
// base/check.cpp - composes the report in a fixed buffer: no allocation, no stdio, one write.

#include "base/check.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "os/os.hpp"

namespace weft::base {

void check_failed(const char* file, int line, const char* condition, const char* what) noexcept {
  char text[1024];
  std::size_t used = 0;
  const auto add = [&](const char* part) {
    const std::size_t n = std::min(std::strlen(part), sizeof text - 1 - used);  // 1: the newline
    std::memcpy(text + used, part, n);
    used += n;
  };
  char number[16] = {};
  std::to_chars(number, number + sizeof number - 1, line);
  add("weft: ");
  add(what);
  add(" [");
  add(file);
  add(":");
  add(number);
  add(": ");
  add(condition);
  add("]");
  text[used++] = '\n';
  os::write_stderr({text, used});
  std::abort();
}

}  // namespace weft::base
