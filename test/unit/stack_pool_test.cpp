// SPDX-License-Identifier: BSL-1.0
#include "fiber/stack_pool.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include <sys/resource.h>

#include "base/rng.hpp"
#include "os/os.hpp"
#include "support/emulator.hpp"
#include "support/in_child.hpp"

namespace {

using namespace weft;
using namespace weft::detail;

constexpr stack_class standard = stack_class_for(default_stack_size);

stack_ref must_take(stack_cache& cache, stack_class c) {
  std::error_code ec;
  const stack_ref stack = cache.take(c, ec);
  REQUIRE_MESSAGE(stack, ec.message());
  return stack;
}

template <class F>
void with_mprotect_guards(F&& body) {
  os::test_hooks.no_guard_advice = true;
  os::test_hooks.no_userfaultfd = true;
  body();
  os::test_hooks.no_guard_advice = false;
  os::test_hooks.no_userfaultfd = false;
}

TEST_CASE("classes: rounded up to powers of two, clamped") {
  CHECK(slot_size(stack_class_for(0)) == min_stack_size);
  CHECK(slot_size(stack_class_for(min_stack_size)) == min_stack_size);
  CHECK(slot_size(stack_class_for(min_stack_size + 1)) == 2 * min_stack_size);
  CHECK(slot_size(stack_class_for(default_stack_size)) == default_stack_size);
  CHECK(slot_size(stack_class_for(default_stack_size - 4096)) == default_stack_size);
  CHECK(slot_size(stack_class_for(max_stack_size)) == max_stack_size);
  CHECK(slot_size(stack_class_for(max_stack_size + 1)) == max_stack_size);
}

TEST_CASE("every class: usable to both ends, zero or reused, below it a guard that is recognised") {
  stack_cache cache;
  for (unsigned i = 0; i < stack_class_count; ++i) {
    const auto c = static_cast<stack_class>(i);
    const stack_ref stack = must_take(cache, c);
    CHECK(stack.size == slot_size(c) - os::page_size());
    stack.limit[0] = std::byte{1};
    stack.top()[-1] = std::byte{1};
    stack_ref owner;
    CHECK(is_guard(stack.limit - 1, owner));
    CHECK(owner.limit == stack.limit);
    CHECK(owner.size == stack.size);
    CHECK(is_guard(stack.limit - os::page_size(), owner));
    CHECK_FALSE(is_guard(stack.limit, owner));
    CHECK_FALSE(is_guard(stack.top() - 1, owner));
    cache.give(stack);
  }
  stack_ref owner;
  CHECK_FALSE(is_guard(nullptr, owner));
  CHECK_FALSE(is_guard(&owner, owner));
}

// The child takes its own stack: userfaultfd markers stay behind in the parent.
void overflow_dies(stack_class c, int signal) {
  stack_cache cache;
  for (int i = 0; i < 5; ++i) {  // across batches of several sizes
    static_cast<void>(must_take(cache, c));
    const auto end = test::in_child([&] {
      stack_cache own;
      const stack_ref stack = must_take(own, c);
      for (std::byte* at = stack.top() - 1;; --at) *static_cast<volatile std::byte*>(at) = {};
      return 0;
    });
    CHECK(end.signal == signal);
  }
}

TEST_CASE("overflow: running off a stack is a signal, never the neighbour's memory") {
  if (os::guard_support() == os::guard_kind::page_table) overflow_dies(standard, SIGSEGV);
  with_mprotect_guards([] { overflow_dies(stack_class_for(std::size_t{128} << 10), SIGSEGV); });
  os::test_hooks.no_guard_advice = true;
  if (os::guard_support() == os::guard_kind::write_protect)
    overflow_dies(stack_class_for(std::size_t{512} << 10), SIGBUS);
  os::test_hooks.no_guard_advice = false;
}

TEST_CASE("reuse: the stack given last is taken first") {
  stack_cache cache;
  const stack_ref a = must_take(cache, standard);
  const stack_ref b = must_take(cache, standard);
  CHECK(a.limit != b.limit);
  cache.give(b);
  cache.give(a);
  CHECK(must_take(cache, standard).limit == a.limit);
  CHECK(must_take(cache, standard).limit == b.limit);
  cache.give(a);
  cache.give(b);
}

TEST_CASE("colours: aligned, fixed per slot, within the top page, many of them") {
  stack_cache cache;
  std::vector<stack_ref> stacks;
  std::set<std::ptrdiff_t> offsets;
  for (int i = 0; i < 64; ++i) {
    const stack_ref stack = stacks.emplace_back(must_take(cache, standard));
    std::byte* const top = coloured_top(stack);
    CHECK(reinterpret_cast<std::uintptr_t>(top) % 64 == 0);
    CHECK(top == coloured_top(stack));
    CHECK(stack.top() - top <= 16 * 64);
    CHECK(stack.top() - top >= 64);  // the canary's line
    offsets.insert(stack.top() - top);
  }
  CHECK(offsets.size() == 16);
  for (const stack_ref stack : stacks) cache.give(stack);
}

TEST_CASE("giving back: bounded caches, the deep pages of spilled stacks are dropped") {
  const auto before = stack_pool_statistics();
  const auto c = stack_class_for(std::size_t{1} << 20);
  {
    stack_cache cache;
    std::vector<stack_ref> stacks;
    for (int i = 0; i < 100; ++i) stacks.push_back(must_take(cache, c));
    for (const stack_ref stack : stacks) {
      stack.limit[0] = std::byte{1};
      cache.give(stack);
    }
    // 16 fit into a cache of this class; the rest went back and forgot its deep page.
    int forgotten = 0;
    for (const stack_ref stack : stacks) forgotten += stack.limit[0] == std::byte{0};
    CHECK(forgotten >= 84);
  }
  const auto after = stack_pool_statistics();
  CHECK(after.out == before.out);
  CHECK(after.carved >= before.carved);
}

TEST_CASE("100,000 stacks: distinct, and a handful of mappings") {
  if (os::guard_support() != os::guard_kind::page_table) return;
  const std::size_t mappings = os::current_map_count();
  const std::size_t slabs = stack_pool_statistics().slabs;
  stack_cache cache;
  std::vector<stack_ref> stacks;
  std::unordered_set<std::byte*> distinct;
  for (int i = 0; i < 100'000; ++i) {
    stacks.push_back(must_take(cache, standard));
    distinct.insert(stacks.back().limit);
  }
  CHECK(distinct.size() == stacks.size());
  CHECK(stack_pool_statistics().slabs - slabs <= 20);
  CHECK(os::current_map_count() - mappings <= 200);
  for (const stack_ref stack : stacks) cache.give(stack);
}

TEST_CASE("stampede: caches of many threads exchange stacks, none is handed out twice") {
  const std::uint64_t seed = 20261120;
  MESSAGE("seed ", seed);
  std::vector<std::thread> threads;
  const auto c = stack_class_for(std::size_t{32} << 10);
  std::atomic<int> broken{0};
  for (unsigned t = 1; t <= 8; ++t) {
    threads.emplace_back([&, t] {
      base::rng random(seed + t);
      stack_cache cache;
      std::vector<stack_ref> mine;
      const auto drop = [&] {
        if (mine.back().top()[-1] != std::byte(t)) broken.fetch_add(1, std::memory_order_relaxed);
        cache.give(mine.back());
        mine.pop_back();
      };
      for (int i = 0; i < 20'000; ++i) {
        if (mine.size() < 150 && (mine.empty() || random.below(2) == 0)) {
          std::error_code ec;
          mine.push_back(cache.take(c, ec));
          mine.back().top()[-1] = std::byte(t);
        } else {
          drop();
        }
        if (i % 4096 == 0) cache.flush();
      }
      while (!mine.empty()) drop();
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(broken == 0);
}

TEST_CASE("exhaustion: an error that names the limit and the way to raise it") {
  SUBCASE("address space") {
    if (test::qemu_lacks("setrlimit(RLIMIT_AS)")) return;
    const auto end = test::in_child([] {
      std::size_t pages =
          0;  // the limit is what we have plus a little, sanitizers' shadow included
      if (FILE* statm = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(statm, "%zu", &pages) != 1) return 9;
        std::fclose(statm);
      }
      const rlim_t bytes = pages * os::page_size() + (rlim_t{300} << 20);
      const rlimit limit{bytes, bytes};
      setrlimit(RLIMIT_AS, &limit);
      stack_cache cache;
      std::error_code ec;
      const auto c = stack_class_for(std::size_t{32} << 20);
      const std::size_t before = stack_pool_statistics().reserved_bytes;
      while (cache.take(c, ec)) {
      }
      const std::size_t more = stack_pool_statistics().reserved_bytes - before;
      if (ec != make_error_code(stack_errc::address_space)) return 1;
      if (ec != std::errc::not_enough_memory) return 2;
      os::write_stderr(make_stack_error(ec, c).what());
      // The first slab asked for does not fit; smaller ones do, to the last slot.
      return more >= std::size_t{128} << 20 && more <= std::size_t{300} << 20 ? 0 : 3;
    });
    CHECK_MESSAGE(end.exit_code == 0, end.errors);
    CHECK(end.errors.find("no stack of 32768 KiB") != std::string::npos);
    CHECK(end.errors.find("ulimit -v") != std::string::npos);
  }
  SUBCASE("mappings, with mprotect guards") {
    const auto end = test::in_child([] {
      os::test_hooks.no_guard_advice = true;
      os::test_hooks.no_userfaultfd = true;
      os::test_hooks.most_guards = 1000;
      const auto c = stack_class_for(std::size_t{64} << 10);
      std::error_code ec;
      std::size_t taken = 0;
      stack_ref last;
      {
        stack_cache cache(stack_guard_policy::page);
        for (; const stack_ref stack = cache.take(c, ec); ++taken) last = stack;
        os::write_stderr(ec.message());
        if (ec != make_error_code(stack_errc::map_count)) return 1;
        // Few may be left over: one by one, not a whole batch given up.
        if (taken < 900 || taken > 1000) return 2;
        cache.give(last);  // the pool still works
        if (cache.take(c, ec).limit != last.limit) return 3;
      }
      stack_cache takes_any;
      ec.clear();
      for (int i = 0; i < 200; ++i)
        if (const stack_ref stack = takes_any.take(c, ec); !stack || ec) return 4;
      return stack_pool_statistics().checked >= 200 ? 0 : 5;
    });
    CHECK_MESSAGE(end.exit_code == 0, end.errors);
    CHECK(end.errors.find("sysctl -w vm.max_map_count=") != std::string::npos);
  }
  SUBCASE("a refused guard gives no stack, and a later try prepares the same slots") {
    const auto c = stack_class_for(std::size_t{512} << 10);
    stack_cache cache;
    const std::size_t carved = stack_pool_statistics().carved;
    os::test_hooks.guard_error = EPERM;
    std::error_code ec;
    std::vector<stack_ref> prepared_before;
    for (stack_ref stack; (stack = cache.take(c, ec));) prepared_before.push_back(stack);
    CHECK(prepared_before.size() <= carved);
    CHECK(ec == make_error_code(stack_errc::guard));
    CHECK(stack_pool_statistics().carved == carved);
    os::test_hooks.guard_error = 0;
    ec.clear();
    const stack_ref stack = must_take(cache, c);
    CHECK_FALSE(ec);
    CHECK(stack_pool_statistics().carved > carved);
    cache.give(stack);
    for (const stack_ref old : prepared_before) cache.give(old);
  }
  SUBCASE("a refused mapping") {
    stack_cache cache;
    os::test_hooks.reserve_error = ENOMEM;
    std::error_code ec;
    std::vector<stack_ref> all;
    const auto c = stack_class_for(std::size_t{512} << 20);
    for (stack_ref stack; (stack = cache.take(c, ec));) all.push_back(stack);
    CHECK(ec == make_error_code(stack_errc::address_space));
    CHECK(all.size() < 100);
    os::test_hooks.reserve_error = 0;
    for (const stack_ref stack : all) cache.give(stack);
  }
}

}  // namespace
