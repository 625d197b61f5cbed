// SPDX-License-Identifier: BSL-1.0
#pragma once
// micro/in_runtime.hpp - a benchmark's loop as the first fiber of a runtime, and its answer.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>
#include <weft/weft.hpp>

namespace bench {

/// The loop over `state` must stay on one worker for its CPU clock to mean anything: benchmarks
/// that use more than one are registered with UseRealTime.
template <class Body>
void in_runtime(std::size_t workers, Body&& body) {
  weft::run(weft::options{.workers = workers}, std::forward<Body>(body));
}

/// After timing. A wrong answer fails the benchmark, whatever it measured.
inline void expect(benchmark::State& state, bool right, const std::string& what) {
  if (!right) state.SkipWithError(("wrong answer: " + what).c_str());
}

template <class A, class B>
void expect_equal(benchmark::State& state, const A& got, const B& wanted) {
  if (got != static_cast<A>(wanted))
    expect(state, false, std::to_string(got) + " instead of " + std::to_string(wanted));
}

}  // namespace bench
