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
  // What may be a return address on aarch64's stack, without the signature in its upper bits
  // (base/signed_address.hpp); the other values are only looked at as addresses.
  [[nodiscard]] std::uint64_t plain(std::uint64_t value) const noexcept {
    constexpr std::uint64_t address_bits = (std::uint64_t{1} << 48U) - 1;
    return is_x86_64 ? value : value & address_bits;
  }
  bool attached = false, cannot_attach = false;
};

}  // namespace weft::tools
