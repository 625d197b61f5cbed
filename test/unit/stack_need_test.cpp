// SPDX-License-Identifier: BSL-1.0
// How much stack weft itself needs of a fiber, and how much a child is promised that runs on its
// joiner's.
#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include <alloca.h>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"
#include "fiber/stack_pool.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"

namespace {

using namespace weft;

constexpr std::size_t looked_at = 12 * 1024;
constexpr std::byte paint{0xa5};

// Not instrumented, not inlined: what lies below the stack pointer is nobody's between two calls.
__attribute__((noinline, no_sanitize("address", "thread"))) void paint_below() {
  auto* const here = static_cast<volatile std::byte*>(__builtin_frame_address(0)) - 512;
  for (std::size_t i = 0; i < looked_at; ++i) here[-static_cast<std::ptrdiff_t>(i)] = paint;
}
__attribute__((noinline, no_sanitize("address", "thread"))) std::size_t used_below() {
  const auto* const here = static_cast<const volatile std::byte*>(__builtin_frame_address(0)) - 512;
  std::size_t i = looked_at;
  while (i > 0 && here[-static_cast<std::ptrdiff_t>(i - 1)] == paint) --i;
  return i + 512;
}

TEST_CASE(
    "a yield or a park needs less than 3 KB of the fiber's stack, also when stacks are fetched and "
    "given back") {
  if (WEFT_ASAN || WEFT_TSAN) return;
  run(options{.workers = 1}, [] {
    std::size_t most = 0;
    for (int round = 0; round < 20; ++round) {
      std::vector<fiber<>> others;
      for (int i = 0; i < 500; ++i) others.push_back(spawn([] { this_fiber::yield(); }));
      for (int i = 0; i < 40; ++i) {
        paint_below();
        if (i % 2 == 0)
          this_fiber::yield();
        else
          static_cast<void>(this_fiber::sleep_for(std::chrono::microseconds(1)));
        // Not in the first round: there the dynamic linker binds the C library's functions, and
        // saves every register for it, 2.6 KB of them where the CPU has AVX-512.
        if (round > 0) most = std::max(most, used_below());
      }
      for (auto& f : others) f.join();
    }
    MESSAGE("bytes: ", most);
    CHECK(most < 3 * 1024);
    return 0;
  });
}

[[gnu::noinline]] void use_stack(std::size_t bytes) {
  auto* const all = static_cast<volatile char*>(alloca(bytes));
  for (std::size_t i = 0; i < bytes; i += 512) all[i] = 1;
}
[[gnu::noinline]] void join_from_depth(std::size_t depth, std::size_t child_uses) {
  auto* const held = static_cast<volatile char*>(alloca(depth));
  held[0] = 1;
  spawn({.stack_size = 64 * 1024}, [=] { use_stack(child_uses); }).join();
  held[1] = held[0];
}

// A child overwrites nothing of its joiner's and does not overflow, however deep the joiner is.
TEST_CASE(
    "a child that is joined at once has three quarters of its stack size, wherever its joiner "
    "stands") {
  if (WEFT_ASAN || WEFT_TSAN) return;  // their frames are larger
  run(options{.workers = 1}, [] {
    constexpr std::size_t overhead = 2048;  // of the frames between
    for (std::size_t depth = 1024; depth < 240 * 1024; depth += 1000)
      join_from_depth(depth, 64 * 1024 / 4 * 3 - overhead);
    return 0;
  });
}

}  // namespace
