// SPDX-License-Identifier: BSL-1.0
// A reference parameter needs std::ref.
// expect: use std::ref
#include <weft/weft.hpp>

void misuse() {
  int counter = 0;
  weft::scope s;
  s.spawn([](int& n) { ++n; }, counter);
}
