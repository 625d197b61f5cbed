// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/gdb_script.hpp - tools/gdb/weft.py, carried in the section .debug_gdb_scripts, from where
// gdb loads it: with a static and a shared library, wherever they are installed, for a process and
// for its core file.

namespace weft::detail {

/// Does nothing; a program that calls it is linked with the script, and with the table that the
/// script reads (debug_offsets.hpp).
void carry_gdb_script() noexcept;

}  // namespace weft::detail
