// SPDX-License-Identifier: BSL-1.0
// micro/deque.cpp - the run queue's four operations, each after a push, by one thread (its caches
// warm, nobody in the way). items/s are entries. Regression guard: a pop nobody steal sessions is
// all but free; a steal session costs three read-modify-writes.

#include <cstdint>

#include "in_runtime.hpp"
#include "sched/deque.hpp"

namespace {

using namespace weft::detail;
using entries = deque<std::uint64_t*>;

constexpr std::size_t batch = 128;

struct by_pop {
  static std::uint64_t* out(entries& q) { return q.pop(); }
};
struct by_take {
  static std::uint64_t* out(entries& q) { return q.take(); }
};
struct by_steal {
  static std::uint64_t* out(entries& q) { return entries::steal_session(q).steal().second; }
};

template <class Way>
void push_and(benchmark::State& state) {
  entries q;
  std::uint64_t values[batch];
  for (std::size_t i = 0; i < batch; ++i) values[i] = i;
  std::uint64_t sum = 0, rounds = 0;
  for (auto _ : state) {
    for (std::uint64_t& v : values) q.push(&v);
    for (std::size_t i = 0; i < batch; ++i) sum += *Way::out(q);
    ++rounds;
  }
  bench::expect_equal(state, sum, rounds * (batch * (batch - 1) / 2));
  bench::expect(state, q.pop() == nullptr && q.take() == nullptr, "entries left over");
  state.SetItemsProcessed(static_cast<std::int64_t>(rounds * batch));
}
BENCHMARK_TEMPLATE(push_and, by_pop);
BENCHMARK_TEMPLATE(push_and, by_take);
BENCHMARK_TEMPLATE(push_and, by_steal);

}  // namespace
