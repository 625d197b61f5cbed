// SPDX-License-Identifier: BSL-1.0
// The memory of a burst of fibers goes back to the kernel, and what is used again and again does
// not.
#include <doctest/doctest.h>

#include <fstream>
#include <limits>
#include <vector>

#include "base/sanitizers.hpp"
#include "fiber/stack_slab.hpp"
#include "fiber/stack_trim.hpp"
#include "os/os.hpp"
#include "support/runtimes.hpp"

namespace {

using namespace weft;
using namespace weft::test;
using namespace std::chrono_literals;

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * os::page_size();
}

// What is resident when all are there.
std::size_t burst(runtime& rt, std::size_t n) {
  std::vector<fiber<>> all;
  std::atomic<std::size_t> there{0};
  for (std::size_t i = 0; i < n; ++i)
    all.push_back(rt.spawn([&] {
      ++there;
      park_until_stopped();
    }));
  until([&] { return there == n; });
  const std::size_t resident = resident_bytes();
  for (auto& f : all) f.request_stop();
  for (auto& f : all) f.join();
  return resident;
}

TEST_CASE(
    "after a burst: its stacks' memory goes back, also when the runtime falls idle, and they can "
    "be had again") {
  const trim_period short_one(20'000'000);
  const std::size_t n = scaled(20'000);
  for (const std::size_t workers : {1u, 8u}) {
    options o;
    o.workers = workers;
    with_runtime(o, [&](runtime& rt) {
      for (int round = 0; round < 2; ++round) {
        const std::size_t before = burst(rt, n);
        // Nothing runs: plain waiting, so that the runtime sleeps.
        const auto limit = std::chrono::steady_clock::now() + 1min;
        const auto warm = [] {
          const auto now = detail::stack_pool_statistics();
          return now.free_global - now.cold;
        };
        while (warm() > detail::class_pool::kept_warm * 2 &&
               std::chrono::steady_clock::now() < limit)
          std::this_thread::sleep_for(2ms);
        CHECK(warm() <= detail::class_pool::kept_warm * 2);
        if (!WEFT_ASAN && !WEFT_TSAN) {
          CHECK(before > n * 4096);
          CHECK(resident_bytes() < before - n * 4096 / 10 * 8);
        }
      }
    });
  }
}

TEST_CASE("a list of stacks gives back the pages that a burst made of it, and keeps its entries") {
  static std::byte many[std::size_t{1} << 20];
  constexpr std::size_t n = sizeof many, left = 1000;
  static detail::slot_list list;  // as all of them it lives for ever
  REQUIRE(list.reserve(n));
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = list.size(); i < n; ++i) list.push(many + i);
    const std::size_t full = resident_bytes();
    for (std::size_t i = 0; i < n - left; ++i) REQUIRE(list.pop_oldest() == many + i);
    list.drop_unused_pages();
    if (!WEFT_ASAN && !WEFT_TSAN) CHECK(resident_bytes() + n * sizeof(void*) / 10 * 9 < full);
    REQUIRE(list.size() == left);
    for (std::size_t i = 0; i < left; ++i) list.push(list.pop_oldest());
    for (std::size_t i = n; i > n - left; --i) REQUIRE(list.pop() == many + i - 1);
    list.drop_unused_pages();
    REQUIRE(list.size() == 0);
  }
}

TEST_CASE("stacks that were in use within a period keep their pages") {
  const trim_period long_one(std::numeric_limits<std::int64_t>::max() / 4);
  options o;
  o.workers = 2;
  with_runtime(o, [&](runtime& rt) {
    static_cast<void>(burst(rt, 3000));
    const std::size_t cold = detail::stack_pool_statistics().cold;
    for (int i = 0; i < 5; ++i) static_cast<void>(burst(rt, 3000));
    CHECK(detail::stack_pool_statistics().cold <= cold);
  });
}

// Above it is the canary of a stack without a guard page.
std::byte& highest_byte(const detail::stack_ref& s) { return s.top()[-65]; }

void trim_what_was_idle(detail::stack_class c) {
  detail::class_pool& pool = detail::pool_of(c);
  detail::refill_space space;
  std::vector<detail::stack_ref> stacks;
  const auto cold = [c] { return detail::stack_class_statistics(c).cold; };
  {
    detail::stack_cache cache;
    std::error_code ec;
    for (int i = 0; i < 1000; ++i) stacks.push_back(cache.take(c, ec));
    for (const auto& s : stacks) {
      REQUIRE(s);
      highest_byte(s) = std::byte{7};
      cache.give(s);
    }
  }
  CHECK(pool.has_excess());
  pool.end_period();  // idle at its end, not in all of it
  CHECK_FALSE(pool.trim_some(c, space));
  pool.end_period();
  while (pool.trim_some(c, space)) {
  }
  CHECK(cold() == detail::stack_class_statistics(c).free_global - detail::class_pool::kept_warm);
  CHECK_FALSE(pool.has_excess());
  detail::stack_cache cache;
  std::error_code ec;
  std::size_t zero = 0;
  std::vector<detail::stack_ref> again;
  for (int i = 0; i < 1000; ++i) {
    again.push_back(cache.take(c, ec));
    REQUIRE(again.back());
    zero += highest_byte(again.back()) == std::byte{0} ? 1 : 0;
  }
  CHECK(zero == 1000 - detail::class_pool::kept_warm);
  // those that kept their pages went first
  CHECK(cold() == detail::stack_class_statistics(c).free_global);
  for (const auto& s : again) cache.give(s);
}

TEST_CASE("trim: what was idle in all of a period, oldest first, beyond what is kept") {
  trim_what_was_idle(detail::stack_class_for(std::size_t{32} << 10));
}

TEST_CASE("trim: the same of stacks without guard pages") {
  os::test_hooks.no_guard_advice = true;
  os::test_hooks.no_userfaultfd = true;
  os::test_hooks.most_guards = 1;
  detail::stack_cache cache;
  std::error_code ec;
  const detail::stack_ref last_guarded =
      cache.take(detail::stack_class_for(std::size_t{128} << 10), ec);
  trim_what_was_idle(detail::stack_class_for(std::size_t{64} << 10));
  if (last_guarded) cache.give(last_guarded);
  os::test_hooks.no_guard_advice = false;
  os::test_hooks.no_userfaultfd = false;
  os::test_hooks.most_guards = 0;
}

}  // namespace
