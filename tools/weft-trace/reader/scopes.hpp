// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/scopes.hpp - the function around a code address, and the inlined calls in
// it, as the code lies.
//
//   unit -> its functions that have code, once    -> the one with the address -> block by block,
//   inwards
// Rejected: dwarf_getscopes. It goes on, from an inlined function, with the scopes around its
// definition, and it gives up where that is inside another function: what clang writes for
// everything inlined into a lambda.

#include <unordered_map>
#include <vector>

#include <elfutils/libdw.h>

namespace weft::tools {

class scope_index {
 public:
  /// Innermost first; the last one is the function. Empty if the unit has none there. `address` as
  /// the file has it.
  [[nodiscard]] std::vector<Dwarf_Die> around(Dwarf_Die* unit, Dwarf_Addr address);

 private:
  std::unordered_map<void*, std::vector<Dwarf_Die>> functions_;  // by the unit's entry
};

}  // namespace weft::tools
