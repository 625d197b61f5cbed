// SPDX-License-Identifier: BSL-1.0
// Processors taken away at random instants from workers that neither block nor compute for long.
// WEFT_SOAK_SECONDS makes it a soak.
#include "support/torture.hpp"

using namespace weft::test;

TEST_CASE("retaken anywhere: results exact, nothing hangs, memory flat") {
  for (const std::size_t n : {1, 2, 8}) {
    CAPTURE(n);
    torture(n, probe::retake_all);
  }
}
