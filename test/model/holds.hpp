// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/holds.hpp - a protocol whose threads take turns at a lock is right in every execution, or in all with a few switches.
#include <doctest/doctest.h>

#include "model/explorer.hpp"

namespace weft::model {

/// Away from a thread that could go on: enough for three threads at a lock.
inline constexpr int switches = 3;

/// All executions with at most so many preemptions; -1: all.
inline void holds(const program& p, int preemptions = -1) {
  options o;
  o.preemptions = preemptions;
  const auto r = explore(o, p);
  CHECK_MESSAGE(r.ok(), r.report);
  if (r.ok()) MESSAGE(r.report);
}

}  // namespace weft::model
