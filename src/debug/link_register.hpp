// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/link_register.hpp - the caller that a walk along the frame pointers misses on aarch64.
//
// A function that calls none has no frame record there: it returns to the link register. In any
// other function that register is left over from the last call, and holds an address within the
// function itself; or, in a prologue or epilogue, the address that is, or was, in its frame record.

#include <cstdint>

#include <unwind.h>

#include "base/signed_address.hpp"

namespace weft::detail {

/// True if the function at the address `pc` returns to `link`, what the link register held there,
/// and `recorded`, the return address of the innermost frame record, is not that. By the unwind
/// tables; takes no lock.
[[nodiscard]] inline bool returns_to_link(std::uintptr_t pc, std::uintptr_t link,
                                          std::uintptr_t recorded) noexcept {
  link = without_signature(link);
  if (link == 0 || link == recorded) return false;
  const auto function_at = [](std::uintptr_t address) {
    return _Unwind_FindEnclosingFunction(reinterpret_cast<void*>(address));
  };
  const void* const caller = function_at(link - 1);
  return caller != nullptr && caller != function_at(pc);
}

}  // namespace weft::detail
