// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/registers.hpp - what an unwinder needs of a stack at rest: its position, and the registers
// that a call preserves. On architectures other than x86-64 everything stays zero: their stacks are
// not walked.

#include <cstddef>
#include <cstdint>

#include <ucontext.h>

namespace weft::detail {

struct registers {
  std::uintptr_t rip = 0, rsp = 0, rbp = 0, rbx = 0, r12 = 0, r13 = 0, r14 = 0, r15 = 0;
  static constexpr std::size_t count = 8;
  static constexpr bool known =
#if defined(__x86_64__)
      true;
#else
      false;
#endif

  explicit operator bool() const noexcept { return rsp != 0; }

  /// Of the thread a signal interrupted. `rip` is as a return address would be, one past where it
  /// stands: unwinders look at the instruction before it.
  static registers of([[maybe_unused]] const void* context) noexcept {
#if defined(__x86_64__)
    const auto& r = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
    const auto at = [&](int i) { return static_cast<std::uintptr_t>(r[i]); };
    return {at(REG_RIP) + 1, at(REG_RSP), at(REG_RBP), at(REG_RBX),
            at(REG_R12),     at(REG_R13), at(REG_R14), at(REG_R15)};
#else
    return {};
#endif
  }

  /// What jump_fcontext left at `place`: MXCSR and control word, R12 to R15, RBX, RBP, return
  /// address. `saved` is a copy.
  static registers of_switch([[maybe_unused]] const std::uintptr_t (&saved)[count],
                             [[maybe_unused]] std::uintptr_t place) noexcept {
#if defined(__x86_64__)
    return {saved[7], place + sizeof saved, saved[6], saved[5], saved[1], saved[2], saved[3],
            saved[4]};
#else
    return {};
#endif
  }
};

}  // namespace weft::detail
