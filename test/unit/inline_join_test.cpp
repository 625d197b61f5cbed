// SPDX-License-Identifier: BSL-1.0
// A join may run the child on its own stack: the child must not be able to tell, but for the
// address of its frame. Between the spawn and the join the fiber may be preempted, and then its
// child begins elsewhere: such a round is repeated.
#include <atomic>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <weft/scope.hpp>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

const std::byte* stack_pointer() {
#if defined(__x86_64__)
  const std::byte* sp;
  asm volatile("mov %%rsp, %0" : "=r"(sp));
  return sp;
#else
  return static_cast<const std::byte*>(__builtin_frame_address(0));
#endif
}

// Is the child's frame just below the parent's?
bool ran_here(const std::byte* parent, const std::byte* child) {
  return child < parent && parent - child < 16384;
}

long fib(int n) {
  if (n < 2) return n;
  auto left = weft::spawn([n] { return fib(n - 1); });
  const long right = fib(n - 2);
  return left.join() + right;
}

weft::options one_worker() {
  weft::options o;
  o.workers = 1;
  return o;
}

}  // namespace

TEST_CASE("the newest child runs on the joiner's stack, with its own identity") {
  with_runtime(one_worker(), [](weft::runtime& rt) {
    rt.spawn([] {
        const auto parent = weft::this_fiber::get_id();
        until([parent] {
          auto f = weft::spawn([parent] {
            CHECK(weft::this_fiber::get_id() != parent);
            CHECK(weft::this_fiber::is_fiber());
            CHECK(weft::this_fiber::name().empty());
            return stack_pointer();
          });
          const bool here = ran_here(stack_pointer(), f.join());
          CHECK(weft::this_fiber::get_id() == parent);
          return here;
        });
      }).join();
  });
}

TEST_CASE("an older child, one with attributes, and one for another runtime do not") {
  with_runtime(one_worker(), [](weft::runtime& rt) {
    with_runtime(one_worker(), [&](weft::runtime& other) {
      rt.spawn([&] {
          const std::byte* here = stack_pointer();
          until([here] {
            std::atomic<bool> newer_began{false};
            bool older_was_newest = false;
            auto older = weft::spawn([&] {
              older_was_newest = newer_began;
              return stack_pointer();
            });
            auto newer = weft::spawn([&] { newer_began = true; });
            const bool both_wait = !newer_began;
            const bool older_here = ran_here(here, older.join());
            newer.join();
            CHECK((!older_here || older_was_newest));
            return both_wait;
          });
          weft::attributes pinned;
          pinned.pinned = true;
          CHECK_FALSE(ran_here(here, weft::spawn(pinned, stack_pointer).join()));
          CHECK_FALSE(ran_here(here, other.spawn(stack_pointer).join()));
        }).join();
    });
  });
}

TEST_CASE("a child run inline may park, be stopped, throw, and be moved to another worker") {
  each_fiber([] {
    for (int i = 0; i < static_cast<int>(scaled(500)); ++i) {
      REQUIRE(weft::spawn([i] {
                static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(i % 20)));
                return i;
              }).join() == i);
      REQUIRE_THROWS_WITH(weft::spawn([] {
                            weft::this_fiber::yield();
                            throw std::runtime_error("inline");
                          }).join(),
                          "inline");
    }
  });
}

TEST_CASE("a chain of inline joins goes to fresh stacks before this one is full") {
  each_fiber([] {
    struct chain {
      static int down(int depth) {
        volatile char frame[2000];
        frame[0] = 1;
        if (depth == 0) return 0;
        return weft::spawn([depth] { return down(depth - 1); }).join() + frame[0];
      }
    };
    const int depth = static_cast<int>(scaled(2000));
    CHECK(chain::down(depth) == depth);
  });
}

TEST_CASE("fork-join counts right") {
  each_fiber([] { CHECK(fib(WEFT_TSAN != 0 ? 12 : 18) == (WEFT_TSAN != 0 ? 144 : 2584)); });
}

TEST_CASE("a scope's join runs its newest children here") {
  with_runtime(one_worker(), [](weft::runtime& rt) {
    rt.spawn([] {
        until([here = stack_pointer()] {
          int inlined = 0;
          weft::scope s;
          for (int i = 0; i < 10; ++i)
            s.spawn([&inlined, here] { inlined += ran_here(here, stack_pointer()); });
          s.join();
          return inlined > 0;
        });
      }).join();
  });
}

TEST_CASE("a handle moved into the child, whose join inline joins the next one") {
  each_fiber([] {
    auto f = weft::spawn([] { return 0; });
    for (int i = 0; i < 100; ++i)
      f = weft::spawn([g = std::move(f)]() mutable { return g.join() + 1; });
    CHECK(f.join() == 100);
  });
}
