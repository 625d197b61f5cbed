// SPDX-License-Identifier: BSL-1.0
// errno belongs to the fiber.
#include <cerrno>
#include <chrono>
#include <vector>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// The compiler may keep errno's address over a call (glibc calls it const); asked afresh each time.
[[gnu::noinline]] int error_now() {
  asm volatile("" ::: "memory");
  return errno;
}
[[gnu::noinline]] void set_error(int value) {
  asm volatile("" ::: "memory");
  errno = value;
}

}  // namespace

TEST_CASE("errno survives yields and sleeps among fibers that set it") {
  each_runtime([](weft::runtime& rt) {
    std::vector<weft::fiber<int>> all;
    for (int i = 1; i <= 40; ++i)
      all.push_back(rt.spawn([i] {
        int wrong = 0;
        for (int k = 0; k < 50; ++k) {
          set_error(i * 100 + k);
          if (k % 10 == 0)
            static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(i)));
          else
            weft::this_fiber::yield();
          wrong += error_now() != i * 100 + k;
        }
        return wrong;
      }));
    for (auto& f : all) CHECK(f.join() == 0);
  });
}

TEST_CASE("a plain thread's errno survives weft's waits") {
  set_error(33);
  static_cast<void>(weft::this_fiber::sleep_for(1ms));
  CHECK(error_now() == 33);
}
