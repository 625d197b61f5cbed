// SPDX-License-Identifier: BSL-1.0
// debug/gdb_script.cpp - see the header. 4: the text itself follows, after a line with its name.
// The section is no part of the program's memory, and `strip` removes it.
#include "debug/gdb_script.hpp"

#include "debug/debug_offsets.hpp"

asm(R"(
  .pushsection ".debug_gdb_scripts", "MS", @progbits, 1
  .byte 4
  .ascii "gdb.inlined-script-weft\n"
  .incbin "weft.py"
  .byte 0
  .popsection
)");

namespace weft::detail {

// A linker that drops what nobody refers to keeps the table, too.
void carry_gdb_script() noexcept { asm volatile("" : : "r"(&weft_debug_offsets)); }

}  // namespace weft::detail
