// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/registers.hpp - what an unwinder needs of a stack at rest: its position, and the registers
// that a call preserves.

#include <cstddef>
#include <cstdint>

#include <ucontext.h>

namespace weft::detail {

/// The order is that of weft_walk_from (debug/stack_copy.cpp).
struct registers {
  std::uintptr_t pc = 0, sp = 0, fp = 0;
#if defined(__x86_64__)
  static constexpr std::size_t preserved_count = 5;  // RBX, R12 to R15
  static constexpr bool has_link = false;
#elif defined(__aarch64__)
  static constexpr std::size_t preserved_count = 10;  // X19 to X28
  static constexpr bool has_link = true;
#else
#error "weft: registers.hpp does not know this architecture's registers"
#endif
  std::uintptr_t preserved[preserved_count] = {};
#if defined(__aarch64__)
  std::uintptr_t lr = 0;  // X30
#endif

  explicit operator bool() const noexcept { return sp != 0; }

  /// The link register: the return address of a function that calls none; 0 where there is none.
  [[nodiscard]] std::uintptr_t link() const noexcept {
#if defined(__aarch64__)
    return lr;
#else
    return 0;
#endif
  }

  /// Of the thread a signal interrupted. `pc` is as a return address would be, one past where it
  /// stands: unwinders look at the instruction before it.
  static registers of(const void* context) noexcept {
    const mcontext_t& from = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    const auto at = [&](int i) { return static_cast<std::uintptr_t>(from.gregs[i]); };
    return {at(REG_RIP) + 1,
            at(REG_RSP),
            at(REG_RBP),
            {at(REG_RBX), at(REG_R12), at(REG_R13), at(REG_R14), at(REG_R15)}};
#else
    registers r{.pc = from.pc + 1, .sp = from.sp, .fp = from.regs[29], .lr = from.regs[30]};
    for (std::size_t i = 0; i < preserved_count; ++i) r.preserved[i] = from.regs[19 + i];
    return r;
#endif
  }

#if defined(__x86_64__)
  /// The words jump_fcontext leaves: MXCSR and control word, R12 to R15, RBX, RBP, return address.
  static constexpr std::size_t switch_words = 8;
#else
  /// The words jump_fcontext leaves: D8 to D15, X19 to X30, the return address, and one unused.
  static constexpr std::size_t switch_words = 22;
#endif

  /// What jump_fcontext left at `place`; `saved` is a copy.
  static registers of_switch(const std::uintptr_t (&saved)[switch_words],
                             std::uintptr_t place) noexcept {
#if defined(__x86_64__)
    return {saved[7],
            place + sizeof saved,
            saved[6],
            {saved[5], saved[1], saved[2], saved[3], saved[4]}};
#else
    registers r{.pc = saved[20], .sp = place + sizeof saved, .fp = saved[18], .lr = saved[19]};
    for (std::size_t i = 0; i < preserved_count; ++i) r.preserved[i] = saved[8 + i];
    return r;
#endif
  }
};

}  // namespace weft::detail
