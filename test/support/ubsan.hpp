// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/ubsan.hpp - what a test cannot do under UBSan.

#include <doctest/doctest.h>

#include "base/sanitizers.hpp"

namespace weft::test {

/// True, and says so, if this build has UBSan: it looks at an object of a type it has not seen
/// through a pipe, and calls it wrong if there is no descriptor for that. A case that uses up the
/// descriptors is left out then.
[[nodiscard]] inline bool ubsan_needs_descriptors() {
  if (WEFT_ASAN == 0) return false;  // one preset has both
  MESSAGE("not here: UBSan opens a pipe to look at objects, and there is no descriptor for it");
  return true;
}

}  // namespace weft::test
