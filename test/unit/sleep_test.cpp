// SPDX-License-Identifier: BSL-1.0
// sleep: never short, stoppable, for deadlines of every size.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

TEST_CASE("never shorter than asked") {
  each_runtime([](weft::runtime& rt) {
    std::vector<weft::fiber<bool>> all;
    for (int i = 0; i < 100; ++i)
      all.push_back(rt.spawn([i] {
        const auto wanted = std::chrono::microseconds(i * 37);
        const auto begin = steady_clock::now();
        CHECK(weft::this_fiber::sleep_for(wanted) == weft::wait_result::timeout);
        return steady_clock::now() - begin >= wanted;
      }));
    for (auto& f : all) CHECK(f.join());
  });
}

TEST_CASE("a deadline that has passed lets others run and returns") {
  each_fiber([] {
    using weft::this_fiber::sleep_until;
    CHECK(weft::this_fiber::sleep_for(0s) == weft::wait_result::timeout);
    CHECK(weft::this_fiber::sleep_for(-5h) == weft::wait_result::timeout);
    CHECK(weft::this_fiber::sleep_for(std::chrono::hours::min()) == weft::wait_result::timeout);
    CHECK(sleep_until(steady_clock::time_point::min()) == weft::wait_result::timeout);
    CHECK(sleep_until(std::chrono::time_point<steady_clock, std::chrono::hours>::min()) ==
          weft::wait_result::timeout);
    CHECK(sleep_until(std::chrono::system_clock::time_point::min()) == weft::wait_result::timeout);
    CHECK(sleep_until(std::chrono::system_clock::now() - 1h) == weft::wait_result::timeout);
  });
}

TEST_CASE("for ever is until stopped") {
  each_runtime([](weft::runtime& rt) {
    std::vector<weft::fiber<weft::wait_result>> all;
    std::atomic<int> begun{0};
    const auto add = [&](auto sleep) {
      all.push_back(rt.spawn([&begun, sleep] {
        ++begun;
        return sleep();
      }));
    };
    add([] { return weft::this_fiber::sleep_for(std::chrono::hours::max()); });
    add([] { return weft::this_fiber::sleep_for(std::chrono::duration<double>(1e300)); });
    add([] { return weft::this_fiber::sleep_for(steady_clock::duration::max()); });
    add([] { return weft::this_fiber::sleep_until(steady_clock::time_point::max()); });
    add([] {
      return weft::this_fiber::sleep_until(
          std::chrono::time_point<steady_clock, std::chrono::hours>::max());
    });
    add([] { return weft::this_fiber::sleep_until(std::chrono::system_clock::time_point::max()); });
    until([&] { return begun == static_cast<int>(all.size()); });
    for (auto& f : all) CHECK_FALSE(f.join_for(1ms));
    for (auto& f : all) f.request_stop();
    for (auto& f : all) CHECK(f.join() == weft::wait_result::stopped);
  });
}

TEST_CASE("many sleepers wake in the order of their deadlines on one worker") {
  weft::options o;
  o.workers = 1;
  with_runtime(o, [](weft::runtime& rt) {
    std::vector<int> order;
    bool late = false;  // a slow machine: some begin after their deadline, and in their own order
    rt.spawn([&] {
        const auto base = steady_clock::now() + 50ms;
        std::vector<weft::fiber<>> all;
        for (int i = 0; i < 200; ++i) {
          const int rank = (i * 73) % 200;
          all.push_back(weft::spawn([&order, &late, base, rank] {
            late = late || steady_clock::now() >= base;
            static_cast<void>(
                weft::this_fiber::sleep_until(base + std::chrono::milliseconds(rank / 10)));
            order.push_back(rank / 10);
          }));
        }
        for (auto& f : all) f.join();
      }).join();
    CHECK(order.size() == 200);
    if (!late) CHECK(std::is_sorted(order.begin(), order.end()));
  });
}

TEST_CASE("sleepers wake although other fibers never come back to the scheduler") {
  weft::options o;
  o.workers = 3;
  with_runtime(o, [](weft::runtime& rt) {
    for (int round = 0; round < 20; ++round) {
      std::atomic<bool> woke{false};
      // Wakes first, takes a processor, and computes until the other sleeper has woken.
      auto busy = rt.spawn([&] {
        static_cast<void>(weft::this_fiber::sleep_for(2ms));
        const auto limit = steady_clock::now() + 30s;
        while (!woke && steady_clock::now() < limit) {
        }
        return woke.load();
      });
      auto sleeper = rt.spawn([&] {
        static_cast<void>(weft::this_fiber::sleep_for(4ms));
        woke = true;
      });
      REQUIRE(busy.join());
      sleeper.join();
    }
  });
}

TEST_CASE("sleepers wake although another fiber only yields") {
  for (const std::size_t workers : {2u, 3u, 8u}) {
    weft::options o;
    o.workers = workers;
    with_runtime(o, [](weft::runtime& rt) {
      for (int round = 0; round < 20; ++round) {
        std::atomic<int> woke{0};
        auto busy = rt.spawn([&] {
          // brings its worker out of the poller
          static_cast<void>(weft::this_fiber::sleep_for(1ms));
          while (woke < 8) weft::this_fiber::yield();
        });
        std::vector<weft::fiber<>> sleepers;
        for (int i = 0; i < 8; ++i)
          sleepers.push_back(rt.spawn([&, i] {
            static_cast<void>(
                weft::this_fiber::sleep_for(std::chrono::microseconds(800 + 200 * i)));
            ++woke;
          }));
        busy.join();
        for (auto& f : sleepers) f.join();
      }
    });
  }
}

TEST_CASE("plain threads sleep and are not fibers") {
  const auto begin = steady_clock::now();
  CHECK(weft::this_fiber::sleep_for(2ms) == weft::wait_result::timeout);
  CHECK(steady_clock::now() - begin >= 2ms);
  CHECK_FALSE(weft::this_fiber::is_fiber());
}
