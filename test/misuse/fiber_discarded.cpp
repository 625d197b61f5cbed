// SPDX-License-Identifier: BSL-1.0
// Dropping the handle detaches; who means that says detach().
// expect: nodiscard
// expect: fiber
#include <weft/weft.hpp>

void misuse() {
  weft::spawn([] { return 1; });
}
