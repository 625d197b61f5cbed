// SPDX-License-Identifier: BSL-1.0
// A scope's children are joined where it ends, so it cannot leave its block.
// expect: deleted
// expect: scope
#include <weft/weft.hpp>

weft::scope misuse() {
  weft::scope one;
  weft::scope two = one;
  return two;
}
