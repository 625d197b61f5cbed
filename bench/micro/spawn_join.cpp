// SPDX-License-Identifier: BSL-1.0
// micro/spawn_join.cpp - batches of empty fibers, joined in the order of their spawn, so none is
// run by its joiner (a join runs the newest only). items/s are fibers. Regression guard; the claim
// is bench/compare/spawn_join.

#include <cstdint>
#include <vector>

#include "in_runtime.hpp"

namespace {

void spawn_join(benchmark::State& state) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  bench::in_runtime(1, [&] {
    std::vector<weft::fiber<std::uint64_t>> fibers;
    fibers.reserve(batch);
    std::uint64_t sum = 0, batches = 0;
    for (auto _ : state) {
      for (std::size_t i = 0; i < batch; ++i)
        fibers.push_back(weft::spawn([i] { return std::uint64_t{i}; }));
      for (auto& fiber : fibers) sum += fiber.join();
      fibers.clear();
      ++batches;
    }
    bench::expect_equal(state, sum, batches * (batch * (batch - 1) / 2));
    state.SetItemsProcessed(static_cast<std::int64_t>(batches * batch));
  });
}
BENCHMARK(spawn_join)->ArgName("batch")->Arg(10)->Arg(1000)->Arg(100000);

}  // namespace
