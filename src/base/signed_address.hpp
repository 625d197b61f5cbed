// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/signed_address.hpp - return addresses as they stand on a stack. On aarch64, code compiled
// with -mbranch-protection=pac-ret signs them (pointer authentication): the bits above the address
// are a code, made from the address and the stack pointer.

#include <cstdint>

namespace weft::detail {

/// The address alone. Changes nothing that is not signed, and nothing on x86-64. AS-safe.
[[nodiscard]] inline std::uintptr_t without_signature(std::uintptr_t address) noexcept {
#if defined(__aarch64__)
  // XPACLRI, which older processors take for a NOP
  asm("mov x30, %0\n\thint #7\n\tmov %0, x30" : "+r"(address) : : "x30");
#endif
  return address;
}

}  // namespace weft::detail
