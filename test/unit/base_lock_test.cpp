// SPDX-License-Identifier: BSL-1.0
#include <doctest/doctest.h>

#include <mutex>
#include <thread>
#include <vector>

#include "base/check.hpp"
#include "base/futex_lock.hpp"
#include "base/rng.hpp"
#include "base/sync_policy.hpp"
#include "support/in_child.hpp"

namespace {

using namespace weft::base;

TEST_CASE("futex_lock: four bytes, try_lock, lock_guard") {
  futex_lock lock;
  {
    const std::lock_guard hold(lock);
    CHECK_FALSE(lock.try_lock());
  }
  CHECK(lock.try_lock());
  lock.unlock();
}

TEST_CASE("futex_lock: excludes [stampede]") {
  for (const int threads : {2, 8}) {
    futex_lock lock;
    long plain = 0;  // a lost update or a TSan report if two are ever inside
    std::vector<std::thread> all;
    for (int t = 0; t < threads; ++t) {
      all.emplace_back([&] {
        for (int i = 0; i < 20'000; ++i) {
          const std::lock_guard hold(lock);
          ++plain;
          if (i % 512 == 0) std::this_thread::yield();  // lets others sleep on the word
        }
      });
    }
    for (auto& thread : all) thread.join();
    CHECK(plain == threads * 20'000L);
  }
}

#ifndef NDEBUG
TEST_CASE("lock ranks: the wrong order aborts and says so, the right one does not") {
  ranked_futex_lock<lock_rank::scope> outer;
  ranked_futex_lock<lock_rank::idle> inner;
  {
    const std::lock_guard first(outer);
    const std::lock_guard second(inner);
  }
  const auto end = weft::test::in_child([&] {
    const std::lock_guard first(inner);
    const std::lock_guard second(outer);
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.errors.find("out of order") != std::string::npos);
}
#endif

TEST_CASE("check: one line with advice, place and condition, then abort") {
  const auto end = weft::test::in_child([] {
    const int workers = 0;
    WEFT_CHECK(workers > 0, "ask for at least one worker");
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.errors.find("weft: ask for at least one worker [") == 0);
  CHECK(end.errors.find("base_lock_test.cpp:") != std::string::npos);
  CHECK(end.errors.find("workers > 0]\n") != std::string::npos);
}

TEST_CASE("rng: same seed same sequence, bounded, spread") {
  rng a(42), b(42), c(43);
  CHECK(a() == b());
  CHECK(a() != c());
  int seen[7] = {};
  for (int i = 0; i < 7000; ++i) {
    const auto n = a.below(7);
    REQUIRE(n < 7);
    ++seen[n];
  }
  for (const int count : seen) CHECK(count > 700);
  CHECK(a.below(0) == 0);
}

// Dekker with the asymmetric pair: both reading 0 would mean that a store was still in a buffer.
void dekker(int rounds) {
  std::atomic<int> x{0}, y{0}, turn{0}, done{0};
  int saw_y = 0, saw_x = 0;
  int both_missed = 0;
  std::thread light([&] {
    for (int i = 1; i <= rounds; ++i) {
      while (turn.load(std::memory_order_acquire) != i) real_sync::pause();
      x.store(i, std::memory_order_relaxed);
      real_sync::light_fence();  // pairs with the heavy fence below
      saw_y = y.load(std::memory_order_relaxed);
      done.store(i, std::memory_order_release);
    }
  });
  for (int i = 1; i <= rounds; ++i) {
    turn.store(i, std::memory_order_release);
    y.store(i, std::memory_order_relaxed);
    real_sync::heavy_fence();  // pairs with the light fence above
    saw_x = x.load(std::memory_order_relaxed);
    while (done.load(std::memory_order_acquire) != i) real_sync::pause();
    if (saw_x != i && saw_y != i) ++both_missed;
  }
  light.join();
  CHECK(both_missed == 0);
}

TEST_CASE("SYNC-1: light and heavy fences order a Dekker, with and without membarrier") {
  // The answer is cached once per process, so the case without goes first into a child.
  const auto end = weft::test::in_child([] {
    weft::os::test_hooks.no_membarrier = true;
    if (weft::os::membarrier_register()) return 3;
    real_sync::heavy_fence();
    if (weft::os::membarrier_available() || weft::os::light_fence_is_weak) return 1;
    weft::os::test_hooks.no_membarrier = false;
    return weft::os::membarrier_register() ? 2 : 0;  // "missing" never turns into "available"
  });
  CHECK(end.exit_code == 0);
  weft::os::membarrier_register();
  CHECK(weft::os::light_fence_is_weak == weft::os::membarrier_available());
  dekker(2000);
}

}  // namespace
