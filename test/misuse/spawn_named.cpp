// SPDX-License-Identifier: BSL-1.0
// A name is an attribute.
// expect: a fiber's name goes into
#include <weft/weft.hpp>

void misuse() {
  weft::spawn("worker", [] {}).detach();
}
