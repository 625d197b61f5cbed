// SPDX-License-Identifier: BSL-1.0
// Preemption signals at random instants, a thousand a second. WEFT_SOAK_SECONDS makes it a soak.
#include "support/torture.hpp"

using namespace weft::test;

TEST_CASE("preempted anywhere: results exact, nothing hangs, memory flat") {
  if (no_preemption_here()) return;
  for (const std::size_t n : {1, 2, 8}) {
    CAPTURE(n);
    torture(n, probe::preempts);
  }
}

TEST_CASE("preempted and retaken anywhere") {
  if (no_preemption_here()) return;
  torture(2, probe::preempts | probe::retake_all);
}
