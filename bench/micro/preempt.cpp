// SPDX-License-Identifier: BSL-1.0
// micro/preempt.cpp - what a fiber that never gives way loses to a ticker that wakes every
// millisecond on its worker: each tick stops it by a signal and goes on on another thread. The aim
// is less than 2 % of its throughput; 2.3 to 3.6 % were measured.

#include <atomic>
#include <chrono>
#include <cstdint>

#include "in_runtime.hpp"

namespace {

enum class beside { nobody, ticker };

// An iteration is 100 ms of computing; real time, for the thread changes.
template <beside Whom>
void compute(benchmark::State& state) {
  constexpr std::uint64_t turns = 1 << 25;
  bench::in_runtime(1, [&] {
    std::atomic<bool> over{false};  // relaxed: the join orders
    auto ticker = weft::spawn([&] {
      std::uint64_t ticks = 0;
      if constexpr (Whom == beside::ticker)
        for (; !over.load(std::memory_order_relaxed); ++ticks)
          weft::this_fiber::sleep_for(std::chrono::milliseconds(1));
      return ticks;
    });
    std::uint64_t x = 1;
    for (auto _ : state)
      for (std::uint64_t i = 0; i < turns; ++i)
        benchmark::DoNotOptimize(x = x * 6364136223846793005U + 1442695040888963407U);
    over.store(true, std::memory_order_relaxed);
    const std::uint64_t ticks = ticker.join();
    bench::expect(state, (Whom == beside::ticker) == (ticks > 0), std::to_string(ticks) + " ticks");
    state.counters["ticks"] =
        benchmark::Counter(static_cast<double>(ticks), benchmark::Counter::kIsRate);
  });
}
BENCHMARK_TEMPLATE(compute, beside::nobody)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2);
BENCHMARK_TEMPLATE(compute, beside::ticker)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2);

}  // namespace
