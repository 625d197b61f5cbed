// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/stack_sample.hpp - where a fiber was when a signal interrupted it: its registers, and the
// first bytes of its stack. The text of a fiber_stack event, as writer and reader share it.
//
// The tool walks it, with the unwind tables of the program's files (as perf does with --call-graph
// dwarf): nothing is walked in the handler, which copies and that is all.
// Rejected: the unwinder in the handler (it trusts what it reads; a wrong table is a crash of the
// application); frame pointers (applications are compiled without them).

#include <cstddef>
#include <cstdint>

#include "trace/format.hpp"

namespace weft::detail::trace {

// The registers follow, 8 bytes each, numbered as DWARF does; aarch64's last one is the pc. Then
// the stack, from the stack pointer on.
struct stack_sample_head {
  machine kind;
  std::uint32_t registers;
};
inline constexpr std::uint32_t x86_64_registers = 17, x86_64_sp = 7, x86_64_pc = 16;
inline constexpr std::uint32_t aarch64_registers = 33, aarch64_sp = 31, aarch64_pc = 32;

}  // namespace weft::detail::trace
