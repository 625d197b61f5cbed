// SPDX-License-Identifier: BSL-1.0
// micro/fork_join.cpp - fib with a spawn in every call, where the join runs the child inline.
// items/s are spawns. Claim of the project: at most 20 ns per spawn and join on one worker, 1.8
// times faster on two.

#include <cstdint>

#include "in_runtime.hpp"

namespace {

std::uint64_t fib(unsigned n) {
  if (n < 2) return n;
  auto left = weft::spawn([n] { return fib(n - 1); });
  const std::uint64_t right = fib(n - 2);
  return left.join() + right;
}

constexpr unsigned size = 25;
constexpr std::uint64_t answer = 75025, spawns = 121392;  // fib(n + 1) - 1 calls have n >= 2

void fork_join(benchmark::State& state) {
  bench::in_runtime(static_cast<std::size_t>(state.range(0)), [&] {
    std::uint64_t sum = 0, rounds = 0;
    for (auto _ : state) {
      sum += fib(size);
      ++rounds;
    }
    bench::expect_equal(state, sum, rounds * answer);
    state.SetItemsProcessed(static_cast<std::int64_t>(rounds * spawns));
  });
}
BENCHMARK(fork_join)->ArgName("workers")->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
