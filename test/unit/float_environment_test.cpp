// SPDX-License-Identifier: BSL-1.0
// A fiber's rounding mode is its own: kept while it moves, not handed on to the next fiber of its
// stack, not shared with a child that its joiner runs.
#include <cfenv>
#include <chrono>
#include <vector>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

constexpr int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

// What the units really do, both of them: fegetround asks one only.
[[gnu::noinline]] bool rounds_up() {
  volatile double one = 1.0, tiny = 1e-30;
  volatile long double long_one = 1.0L, long_tiny = 1e-40L;
  const bool sse = one + tiny > 1.0;
  const bool x87 = long_one + long_tiny > 1.0L;
  CHECK(sse == x87);
  return sse;
}

}  // namespace

TEST_CASE("rounding modes stay with their fibers") {
  each_runtime([](weft::runtime& rt) {
    std::vector<weft::fiber<int>> all;
    for (int i = 0; i < 40; ++i)
      all.push_back(rt.spawn([mode = modes[i % 4], i] {
        std::fesetround(mode);
        int wrong = 0;
        for (int k = 0; k < 30; ++k) {
          if (k % 10 == 0)
            static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(i)));
          else
            weft::this_fiber::yield();
          wrong += std::fegetround() != mode || rounds_up() != (mode == FE_UPWARD);
        }
        return wrong;
      }));
    for (auto& f : all) CHECK(f.join() == 0);
  });
}

TEST_CASE("a fiber starts rounding to nearest, whatever ran on its stack or spawned it") {
  each_runtime([](weft::runtime& rt) {
    for (int i = 0; i < 20; ++i) {
      rt.spawn([] { std::fesetround(FE_UPWARD); }).join();
      CHECK(rt.spawn([] { return std::fegetround() == FE_TONEAREST && !rounds_up(); }).join());
    }
    rt.spawn([] {
        std::fesetround(FE_UPWARD);
        // Not run by the joiner: it has started before.
        auto f = weft::spawn([] { return std::fegetround() == FE_TONEAREST && !rounds_up(); });
        static_cast<void>(weft::this_fiber::sleep_for(1ms));
        CHECK(f.join());
      }).join();
  });
}

TEST_CASE("a child run by its joiner neither takes nor changes the joiner's") {
  weft::options o;
  o.workers = 1;
  with_runtime(o, [](weft::runtime& rt) {
    rt.spawn([] {
        std::fesetround(FE_UPWARD);
        CHECK(weft::spawn([] { return std::fegetround() == FE_TONEAREST && !rounds_up(); }).join());
        CHECK(std::fegetround() == FE_UPWARD);
        weft::spawn([] { std::fesetround(FE_TOWARDZERO); }).join();
        CHECK(std::fegetround() == FE_UPWARD);
        CHECK(rounds_up());
        std::fesetround(FE_TONEAREST);
      }).join();
  });
}

TEST_CASE("a runtime made by a thread with another mode rounds to nearest") {
  std::fesetround(FE_UPWARD);
  weft::options o;
  o.workers = 2;
  {
    weft::runtime rt(o);
    CHECK(rt.spawn([] { return std::fegetround() == FE_TONEAREST && !rounds_up(); }).join());
  }
  CHECK(std::fegetround() == FE_UPWARD);
  std::fesetround(FE_TONEAREST);
}
