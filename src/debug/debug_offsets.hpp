// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/debug_offsets.hpp - the table from which a debugger reads weft's records without debug
// information: tools/gdb/weft.py finds the symbol weft_debug_offsets in the process, or in its core
// file, and everything else by what the table says.
//
// Each entry names itself, so one that is added or moved breaks no reader. `version` changes if an
// entry gets another meaning or the layout of the table does.

#include <cstddef>
#include <cstdint>

#include <weft/detail/export.hpp>

namespace weft::detail {

struct record_table;

/// A member ("fiber_record.id": where it lies, and its size), or a constant ("state.parked": its
/// value; the size is 0).
struct debug_offset {
  char name[32];
  std::uint32_t value;
  std::uint32_t size;
};

struct debug_offset_table {
  static constexpr std::size_t capacity = 80;

  std::uint32_t version;
  std::uint32_t count;
  const record_table* records;
  debug_offset entries[capacity];
};

}  // namespace weft::detail

extern "C" WEFT_API const weft::detail::debug_offset_table weft_debug_offsets;
