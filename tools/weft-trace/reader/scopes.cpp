// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/scopes.cpp - a walk over debugging entries.
#include "reader/scopes.hpp"

#include <algorithm>

#include <dwarf.h>

namespace weft::tools {
namespace {

bool has_code(Dwarf_Die* die) {
  return dwarf_hasattr(die, DW_AT_low_pc) != 0 || dwarf_hasattr(die, DW_AT_ranges) != 0;
}

template <class Visit>
void for_each_child(Dwarf_Die* parent, Visit&& visit) {
  Dwarf_Die child;
  if (dwarf_child(parent, &child) != 0) return;
  do visit(child);
  while (dwarf_siblingof(&child, &child) == 0);
}

// Wherever it is defined: in a namespace, a class, or a class inside a function, as a lambda's is.
void add_functions(Dwarf_Die* parent, std::vector<Dwarf_Die>& out) {
  for_each_child(parent, [&](Dwarf_Die& child) {
    switch (dwarf_tag(&child)) {
      case DW_TAG_subprogram:
        if (has_code(&child)) out.push_back(child);
        [[fallthrough]];
      case DW_TAG_namespace:
      case DW_TAG_class_type:
      case DW_TAG_structure_type:
      case DW_TAG_union_type:
      case DW_TAG_lexical_block:
        add_functions(&child, out);
        break;
      default:
        break;
    }
  });
}

// Appends what lies inside `outer` around the address, outermost first. A block without code of its
// own only groups others.
bool add_inner(Dwarf_Die* outer, Dwarf_Addr address, std::vector<Dwarf_Die>& out) {
  bool found = false;
  for_each_child(outer, [&](Dwarf_Die& child) {
    if (found) return;
    const int tag = dwarf_tag(&child);
    if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block &&
        tag != DW_TAG_try_block && tag != DW_TAG_catch_block)
      return;
    if (!has_code(&child)) {
      found = add_inner(&child, address, out);
    } else if (dwarf_haspc(&child, address) > 0) {
      found = true;
      out.push_back(child);
      static_cast<void>(add_inner(&child, address, out));
    }
  });
  return found;
}

}  // namespace

std::vector<Dwarf_Die> scope_index::around(Dwarf_Die* unit, Dwarf_Addr address) {
  const auto [at, added] = functions_.try_emplace(unit->addr);
  if (added) add_functions(unit, at->second);
  std::vector<Dwarf_Die> out;
  for (Dwarf_Die& function : at->second) {
    if (dwarf_haspc(&function, address) <= 0) continue;
    out.push_back(function);
    static_cast<void>(add_inner(&function, address, out));
    break;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace weft::tools
