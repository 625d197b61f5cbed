// SPDX-License-Identifier: BSL-1.0
// As many arguments as parameters.
// expect: their number or their types differ
#include <weft/weft.hpp>

void misuse() {
  weft::runtime rt;
  rt.spawn([](int, int) {}, 1).detach();
}
