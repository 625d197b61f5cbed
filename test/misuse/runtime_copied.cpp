// SPDX-License-Identifier: BSL-1.0
// A runtime owns threads; there is no second one of the same.
// expect: deleted
// expect: runtime
#include <weft/weft.hpp>

void misuse() {
  weft::runtime one;
  weft::runtime two = one;
}
