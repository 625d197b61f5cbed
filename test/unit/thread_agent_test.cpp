// SPDX-License-Identifier: BSL-1.0
// Plain threads wait in the same places as fibers.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/scope.hpp>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("threads join, sleep, yield and have identities") {
  each_runtime([](weft::runtime& rt) {
    std::vector<std::thread> threads;
    std::atomic<int> sum{0};
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        const auto id = weft::this_fiber::get_id();
        CHECK(id != weft::fiber_id());
        CHECK_FALSE(weft::this_fiber::is_fiber());
        CHECK(weft::this_fiber::name().empty());
        CHECK_FALSE(weft::this_fiber::stop_requested());
        for (int i = 0; i < 50; ++i) {
          sum += rt.spawn([t] {
                     if (t % 2 == 0) static_cast<void>(weft::this_fiber::sleep_for(30us));
                     return 1;
                   }).join();
          static_cast<void>(weft::this_fiber::sleep_for(10us));
          weft::this_fiber::yield();
        }
        CHECK(id == weft::this_fiber::get_id());
      });
    for (auto& t : threads) t.join();
    CHECK(sum == 400);
  });
}

TEST_CASE("threads that live at the same time have different ids") {
  const auto mine = weft::this_fiber::get_id();
  weft::fiber_id other;
  std::thread([&] { other = weft::this_fiber::get_id(); }).join();
  CHECK(mine != other);
}

TEST_CASE("a thread's id is not used again") {
  // The kernel uses thread numbers again only after all others; many threads, each ended before the
  // next.
  std::vector<weft::fiber_id> ids(200);
  for (auto& id : ids) std::thread([&] { id = weft::this_fiber::get_id(); }).join();
  std::sort(ids.begin(), ids.end());
  CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
}

TEST_CASE("threads own scopes with limits") {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      std::atomic<int> now{0}, ran{0};
      {
        weft::scope s{weft::scope_limit{3}};
        for (int i = 0; i < 100; ++i)
          s.spawn([&] {
            CHECK(++now <= 3);
            weft::this_fiber::yield();
            --now;
            ++ran;
          });
      }
      CHECK(ran == 100);
    });
  for (auto& t : threads) t.join();
}

TEST_CASE("timed joins from threads race with the end") {
  each_runtime([](weft::runtime& rt) {
    for (int i = 0; i < static_cast<int>(scaled(1000)); ++i) {
      auto f = rt.spawn([i] {
        static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(i % 120)));
        return i;
      });
      while (!f.join_for(std::chrono::microseconds(60))) {
      }
      REQUIRE(f.join() == i);
    }
  });
}
