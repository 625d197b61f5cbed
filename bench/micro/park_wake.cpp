// SPDX-License-Identifier: BSL-1.0
// micro/park_wake.cpp - two fibers that wake each other and park, by the protocol everything in
// src/sync stands on. items/s are parks. Regression guard for the ping-pong through the next slot;
// `others` yield meanwhile, so that the bounded streak of that slot is part of it.

#include <cstdint>
#include <utility>
#include <vector>

#include "in_runtime.hpp"
#include "sched/park.hpp"

namespace {

using namespace weft::detail;

// One worker: plain variables do.
struct pair_of_fibers {
  ticket waiting[2];
  bool over = false;

  // Parks until the other side passes the turn here.
  void pass(int me) {
    fiber_record& self = this_agent();
    waiting[me] = begin_park(self, park_reason::event);
    if (const ticket other = std::exchange(waiting[1 - me], ticket{})) wake(other);
    static_cast<void>(finish_park(self));
  }
};

void ping_pong(benchmark::State& state) {
  bench::in_runtime(1, [&] {
    pair_of_fibers turn;
    std::vector<weft::fiber<>> others;
    for (std::int64_t i = 0; i < state.range(0); ++i)
      others.push_back(weft::spawn([&] {
        while (!turn.over) weft::this_fiber::yield();
      }));
    auto second = weft::spawn([&] {
      std::uint64_t parks = 0;
      while (!turn.over) {
        turn.pass(1);
        ++parks;
      }
      return parks;
    });
    while (!turn.waiting[1]) weft::this_fiber::yield();
    std::uint64_t rounds = 0;
    for (auto _ : state) {
      turn.pass(0);
      ++rounds;
    }
    turn.over = true;
    wake(std::exchange(turn.waiting[1], ticket{}));
    bench::expect_equal(state, second.join(), rounds + 1);
    for (auto& fiber : others) fiber.join();
    state.SetItemsProcessed(static_cast<std::int64_t>(2 * rounds));
  });
}
BENCHMARK(ping_pong)->ArgName("others")->Arg(0)->Arg(10);

}  // namespace
