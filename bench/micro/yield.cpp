// SPDX-License-Identifier: BSL-1.0
// micro/yield.cpp - fibers that yield in turn on one worker. items/s are yields.
// Claim of the project: at most 20 ns a yield among 1000 (bench/compare has the peers). `float`:
// each does inexact arithmetic between yields; a guard that the floating point environment is the
// same on both sides of every jump.

#include <cstdint>
#include <vector>

#include "in_runtime.hpp"

namespace {

enum class between { nothing, arithmetic };

// One iteration is one turn of the first fiber, so one of everybody.
template <between Work>
void yield(benchmark::State& state) {
  const auto others = static_cast<std::size_t>(state.range(0)) - 1;
  bench::in_runtime(1, [&] {
    bool over = false;
    std::size_t started = 0;
    std::vector<weft::fiber<std::uint64_t>> fibers;
    for (std::size_t i = 0; i < others; ++i) {
      fibers.push_back(weft::spawn([&, seed = double(i)] {
        ++started;
        std::uint64_t turns = 0;
        double x = 1.0 + seed * 1e-6;
        while (!over) {
          ++turns;
          if constexpr (Work == between::arithmetic)
            benchmark::DoNotOptimize(x = x * 1.0000001 + 0.1);
          weft::this_fiber::yield();
        }
        return turns;
      }));
    }
    while (started < others) weft::this_fiber::yield();
    const std::uint64_t warm = 2;
    std::uint64_t rounds = 0;
    for (auto _ : state) {
      weft::this_fiber::yield();
      ++rounds;
    }
    over = true;
    // Every other fiber had its turn in every round; a few more at the ends, and where a look
    // around let it go before its neighbour.
    for (auto& fiber : fibers) {
      const std::uint64_t turns = fiber.join();
      bench::expect(state, turns + warm >= rounds && turns <= rounds + rounds / 8 + 64,
                    std::to_string(turns) + " turns in " + std::to_string(rounds) + " rounds");
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(rounds * (others + 1)));
  });
}
BENCHMARK_TEMPLATE(yield, between::nothing)->ArgName("fibers")->Arg(10)->Arg(1000)->Arg(10000);
BENCHMARK_TEMPLATE(yield, between::arithmetic)->ArgName("fibers")->Arg(10)->Arg(1000)->Arg(10000);

}  // namespace
