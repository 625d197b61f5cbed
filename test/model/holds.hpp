// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/holds.hpp - what most models ask: a protocol is right in every execution, or in all
// with a few preemptions.
#include <doctest/doctest.h>

#include "model/explorer.hpp"

namespace weft::model {

/// Away from a thread that could go on: enough for three threads at a lock.
inline constexpr int switches = 3;

inline result holds(const program& p, const options& o = {}) {
  const auto r = explore(o, p);
  CHECK_MESSAGE(r.ok(), r.report);
  if (r.ok()) MESSAGE(r.report);
  return r;
}

/// All executions with at most so many preemptions; -1: all.
inline options at_most(int preemptions) {
  options o;
  o.preemptions = preemptions;
  return o;
}
inline result holds(const program& p, int preemptions) { return holds(p, at_most(preemptions)); }

/// The same, without spurious failures of weak exchanges: they multiply what is explored.
inline options bounded(int preemptions) {
  options o;
  o.preemptions = preemptions;
  o.spurious_failures = 0;
  return o;
}

/// For four threads, which have too many ways: a sample, the same every time.
inline void holds_in_sample(const program& p) {
  options sample;
  sample.random_executions = 20'000;
  holds(p, sample);
}

}  // namespace weft::model
