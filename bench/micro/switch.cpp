// SPDX-License-Identifier: BSL-1.0
// micro/switch.cpp - one jump between two stacks: Boost.Context's as it is called plainly, and
// weft's. items/s are jumps. Regression guard: at depth 0, inline in the loop, weft's is no dearer
// than fcontext's. `depth` puts calls between the loop and the jump: what is measured then is
// mostly returns that the processor predicts to the wrong stack.

#include <cstdint>

#include "fiber/stack_pool.hpp"
#include "fiber/switch.hpp"
#include "in_runtime.hpp"

namespace {

using namespace weft::detail;

struct plain {
  static transfer to(context c, void* data) noexcept {
    return boost::context::detail::jump_fcontext(c, data);
  }
};
struct wefts {
  [[gnu::always_inline]] static transfer to(context c, void* data) noexcept {
    return jump(c, data, {}, false);
  }
};

template <class Jump>
[[gnu::noinline]] transfer jump_from(context c, void* data, int depth) noexcept {
  transfer t = depth == 1 ? Jump::to(c, data) : jump_from<Jump>(c, data, depth - 1);
  asm volatile("");  // a call that returns, not a tail
  return t;
}
template <class Jump>
[[gnu::always_inline]] inline transfer jump_at(context c, void* data, int depth) noexcept {
  return depth == 0 ? Jump::to(c, data) : jump_from<Jump>(c, data, depth);
}

struct peer {
  std::uint64_t jumps = 0;
  int depth = 0;
};

template <class Jump>
void echo(transfer t) noexcept {
  set_float_environment();
  peer& self = *static_cast<peer*>(t.data);
  for (;;) {
    ++self.jumps;
    t = jump_at<Jump>(t.fctx, nullptr, self.depth);
  }
}

// One iteration: there and back, two jumps.
template <class Jump>
void ping_pong(benchmark::State& state) {
  set_float_environment();
  stack_cache stacks;
  std::error_code error;
  const stack_ref stack = stacks.take(stack_class_for(default_stack_size), error);
  if (!stack) return state.SkipWithError(error.message().c_str());
  peer other;
  other.depth = static_cast<int>(state.range(0));
  std::byte* const top = coloured_top(stack);
  context there = boost::context::detail::make_fcontext(
      top, static_cast<std::size_t>(top - stack.limit), &echo<Jump>);
  std::uint64_t rounds = 0;
  for (auto _ : state) {
    there = jump_at<Jump>(there, &other, other.depth).fctx;
    ++rounds;
  }
  bench::expect_equal(state, other.jumps, rounds);
  state.SetItemsProcessed(static_cast<std::int64_t>(2 * rounds));
  stacks.give(stack);
}
BENCHMARK_TEMPLATE(ping_pong, plain)->ArgName("depth")->Arg(0)->Arg(1)->Arg(4);
BENCHMARK_TEMPLATE(ping_pong, wefts)->ArgName("depth")->Arg(0)->Arg(1)->Arg(4);

}  // namespace
