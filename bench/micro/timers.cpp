// SPDX-License-Identifier: BSL-1.0
// micro/timers.cpp - deadlines in random order into a processor's heap, and out of it by time.
// items/s are timers, added and fired. Regression guard for a million sleepers. The seed is fixed:
// every run sorts the same numbers.

#include <cstdint>
#include <vector>

#include "base/rng.hpp"
#include "in_runtime.hpp"
#include "sched/timer_queue.hpp"

namespace {

using namespace weft::detail;

void add_and_fire(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  std::vector<fiber_record*> sleepers;
  for (std::size_t i = 0; i < n; ++i) sleepers.push_back(&take_record());
  weft::base::rng random(20261120);
  timer_queue heap;
  std::size_t fired = 0, owed = 0, rounds = 0;
  for (auto _ : state) {
    for (fiber_record* f : sleepers) {
      f->word.set(fiber_state::running);
      heap.add(1 + static_cast<std::int64_t>(random.below(1u << 30)),
               f->make_ticket(f->word.begin_park(stoppable::no)));
    }
    // As the scheduler does it, some at a time.
    while (const std::size_t some =
               heap.fire(std::int64_t{1} << 31, 64, [&](fiber_record&) { ++owed; }))
      fired += some;
    ++rounds;
  }
  bench::expect_equal(state, fired, rounds * n);
  bench::expect_equal(state, owed, 0u);  // they were still on their way into the park
  for (fiber_record* f : sleepers) {
    bench::expect(state, f->word.code() == wake_code::timeout, "a sleeper that no timer woke");
    f->word.set(fiber_state::unused);
    give_record(*f);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(rounds * n));
}
BENCHMARK(add_and_fire)
    ->ArgName("timers")
    ->Arg(100)
    ->Arg(10000)
    ->Arg(1000000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
