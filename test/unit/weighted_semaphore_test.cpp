// SPDX-License-Identifier: BSL-1.0
// unit/weighted_semaphore_test.cpp - order of service, giving up, errors, and the sum of all.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"

using namespace std::chrono_literals;

TEST_CASE("weighted_semaphore: a small request does not overtake a large one") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::weighted_semaphore s(10);
    s.acquire(4);
    std::vector<int> order;
    auto large = weft::spawn([&] {
      s.acquire(8);
      order.push_back(8);
      s.release(8);
    });
    weft::this_fiber::yield();
    auto small = weft::spawn([&] {
      s.acquire(3);  // would fit now, and does not fit beside the large one
      order.push_back(3);
      s.release(3);
    });
    weft::this_fiber::yield();
    CHECK(order.empty());
    CHECK(!s.try_acquire(1));
    s.release(4);
    large.join();
    small.join();
    CHECK(order == std::vector<int>{8, 3});
    CHECK(s.available() == 10);
  });
}

TEST_CASE("weighted_semaphore: those behind one that gives up go on") {
  weft::run([] {
    weft::weighted_semaphore s(4);
    s.acquire(3);
    auto large = weft::spawn([&] { return s.acquire(4, weft::this_fiber::stop_token()); });
    while (s.try_acquire(1)) {  // until it is in the list
      s.release(1);
      weft::this_fiber::yield();
    }
    auto small = weft::spawn([&] { s.acquire(1); });
    large.request_stop();
    CHECK(!large.join());
    small.join();
    CHECK(s.available() == 0);
    CHECK(!s.try_acquire_for(1, 1ms));
    s.release(4);
    CHECK(s.try_acquire_until(4, std::chrono::steady_clock::now()));
  });
}

// With a list that is walked from its start this takes minutes.
TEST_CASE("weighted_semaphore: many wait, and half of them give up") {
  constexpr int n = WEFT_TSAN != 0 ? 4000 : 50'000;  // it knows no more than 8128 fibers
  weft::run([] {
    weft::weighted_semaphore s(n);
    s.acquire(n);
    std::atomic<int> got{0};
    weft::scope waiters;
    for (int i = 0; i < n; ++i) {
      waiters.spawn([&, i] {
        if (i % 2 == 0)
          s.acquire(1);
        else if (!s.acquire(1, weft::this_fiber::stop_token()))
          return;
        ++got;
      });
    }
    weft::this_fiber::yield();
    waiters.request_stop();
    while (waiters.size() > n / 2) weft::this_fiber::sleep_for(1ms);
    s.release(n);
    waiters.join();
    CHECK(got == n / 2);
    CHECK(s.available() == n / 2);
  });
}

TEST_CASE("weighted_semaphore: errors say the numbers") {
  CHECK_THROWS_AS(weft::weighted_semaphore(-1), std::invalid_argument);
  weft::weighted_semaphore s(2);
  CHECK_THROWS_WITH_AS(s.acquire(3), doctest::Contains("3 permits were asked for, of 2"),
                       std::invalid_argument);
  CHECK_THROWS_AS(static_cast<void>(s.try_acquire(-1)), std::invalid_argument);
  CHECK_THROWS_AS(s.release(1), std::logic_error);
  s.acquire(0);
  CHECK(s.available() == 2);
}

TEST_CASE("weighted_semaphore: fibers and threads never hold more than there is") {
  weft::runtime rt;
  weft::weighted_semaphore s(7);
  std::atomic<int> held{0}, most{0};
  const auto work = [&](int seed) {
    for (int i = 0; i < 300; ++i) {
      const int n = 1 + (seed * 31 + i * 7) % 7;
      if (i % 5 == 0) {
        if (!s.try_acquire_for(n, 100us)) continue;
      } else {
        s.acquire(n);
      }
      const int now = held += n;
      int seen = most;
      while (seen < now && !most.compare_exchange_weak(seen, now)) {
      }
      if (i % 3 == 0) weft::this_fiber::yield();
      held -= n;
      s.release(n);
    }
  };
  std::vector<weft::fiber<void>> fibers;
  for (int f = 0; f < 8; ++f) fibers.push_back(rt.spawn(work, f));
  std::thread thread(work, 9);
  for (auto& f : fibers) f.join();
  thread.join();
  CHECK(most <= 7);
  CHECK(most > 0);
  CHECK(s.available() == 7);
}
