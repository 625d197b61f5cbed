// SPDX-License-Identifier: BSL-1.0
// micro/stack.cpp - a stack from the pool and back. Regression guards: warm is a few loads; bulk
// goes beyond the worker's cache to the global list and drops deep pages; cold is the kernel's
// price of a guard and a fresh page, which varies with the host by a factor of ten
// (fiber/stack_slab.cpp).

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "fiber/stack_pool.hpp"
#include "in_runtime.hpp"
#include "os/os.hpp"

namespace {

using namespace weft::detail;

constexpr stack_class standard = stack_class_for(default_stack_size);

void take_give_warm(benchmark::State& state) {
  stack_cache cache;
  std::error_code error;
  cache.give(cache.take(standard, error));
  std::byte* const hot = cache.take(standard, error).limit;
  cache.give({hot, slot_size(standard) - weft::os::page_size()});
  std::uint64_t same = 0, rounds = 0;
  for (auto _ : state) {
    const stack_ref stack = cache.take(standard, error);
    same += stack.limit == hot;
    cache.give(stack);
    ++rounds;
  }
  bench::expect_equal(state, same, rounds);
  state.SetItemsProcessed(static_cast<std::int64_t>(rounds));
}
BENCHMARK(take_give_warm);

// `n` stacks, distinct.
bool take_many(stack_cache& cache, std::vector<stack_ref>& out, std::size_t n) {
  std::error_code error;
  while (out.size() < n) {
    const stack_ref stack = cache.take(standard, error);
    if (!stack) return false;
    out.push_back(stack);
  }
  return true;
}

void expect_distinct(benchmark::State& state, const std::vector<stack_ref>& stacks) {
  std::unordered_set<std::byte*> limits;
  for (const stack_ref& s : stacks) limits.insert(s.limit);
  bench::expect_equal(state, limits.size(), stacks.size());
}

void take_give_bulk(benchmark::State& state) {
  constexpr std::size_t many = 1000;
  stack_cache cache;
  std::vector<stack_ref> stacks;
  stacks.reserve(many);
  bool all = take_many(cache, stacks, many);
  std::int64_t items = 0;
  for (auto _ : state) {
    for (const stack_ref& s : stacks) cache.give(s);
    stacks.clear();
    all = take_many(cache, stacks, many) && all;
    items += many;
  }
  bench::expect(state, all, "no stack");
  expect_distinct(state, stacks);
  for (const stack_ref& s : stacks) cache.give(s);
  state.SetItemsProcessed(items);
}
BENCHMARK(take_give_bulk);

void take_cold(benchmark::State& state) {
  stack_cache cache;
  std::vector<stack_ref> stacks;
  const std::size_t before = stack_pool_statistics().free_global;
  bool all = take_many(cache, stacks, before);  // what earlier benchmarks left
  std::error_code error;
  std::vector<stack_ref> fresh;
  fresh.reserve(static_cast<std::size_t>(state.max_iterations));
  for (auto _ : state) fresh.push_back(cache.take(standard, error));
  bench::expect(state, all && !error, "no stack");
  expect_distinct(state, fresh);
  for (const stack_ref& s : fresh) cache.give(s);
  for (const stack_ref& s : stacks) cache.give(s);
  state.SetItemsProcessed(static_cast<std::int64_t>(fresh.size()));
}
BENCHMARK(take_cold)->Iterations(20000);  // once: the second time they would be warm

}  // namespace
