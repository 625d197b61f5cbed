// SPDX-License-Identifier: BSL-1.0
// A fiber's result can be taken once, so its handle has one owner.
// expect: deleted
// expect: fiber
#include <weft/weft.hpp>

void misuse() {
  weft::fiber<int> one = weft::spawn([] { return 1; });
  weft::fiber<int> two = one;
  two.join();
}
