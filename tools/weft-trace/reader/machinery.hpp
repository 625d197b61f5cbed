// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/machinery.hpp - what symbols.cpp and unwind.cpp share: the session of
// libdw.

#include <elfutils/libdwfl.h>

#include "reader/scopes.hpp"
#include "reader/symbols.hpp"

namespace weft::tools {

struct symbols::machinery {
  Dwfl_Callbacks callbacks{};
  Dwfl* session = nullptr;
  scope_index scopes;
  // What libdw's callbacks are asked about: the sample that is being unwound.
  std::uint64_t registers[40] = {};
  std::uint64_t stack_begin = 0;
  std::string_view stack;
  bool is_x86_64 = true;
  bool attached = false, cannot_attach = false;
};

}  // namespace weft::tools
