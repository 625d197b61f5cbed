// SPDX-License-Identifier: BSL-1.0
// yield: others run, nobody starves, alone it returns.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("alone, and on a plain thread, it returns") {
  weft::this_fiber::yield();
  each_fiber([] {
    for (int i = 0; i < 1000; ++i) weft::this_fiber::yield();
  });
}

TEST_CASE("fibers on one worker take turns") {
  weft::options o;
  o.workers = 1;
  with_runtime(o, [](weft::runtime& rt) {
    std::vector<int> turns;
    rt.spawn([&] {
        std::vector<weft::fiber<>> all;
        for (int i = 0; i < 3; ++i)
          all.push_back(weft::spawn([&turns, i] {
            for (int k = 0; k < 10; ++k) {
              turns.push_back(i);
              weft::this_fiber::yield();
            }
          }));
        until([&] { return turns.size() == 30; });
        for (auto& f : all) f.join();
      }).join();
    // Each is at most one turn ahead of any other.
    int count[3] = {};
    for (const int t : turns) {
      ++count[t];
      for (const int c : count) CHECK(count[t] - c <= 2);
    }
  });
}

TEST_CASE("no_starvation: injected fibers, sleepers and pairs among fibers that only yield") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<bool> end{false};
    std::vector<weft::fiber<>> yielders;
    for (int i = 0; i < 20; ++i)
      yielders.push_back(rt.spawn([&] {
        while (!end) weft::this_fiber::yield();
      }));
    rt.spawn([] {}).join();  // from outside
    rt.spawn([] { static_cast<void>(weft::this_fiber::sleep_for(1ms)); }).join();
    rt.spawn([] { weft::spawn([] { weft::this_fiber::yield(); }).join(); }).join();
    end = true;
    for (auto& f : yielders) f.join();
  });
}

TEST_CASE("no_starvation: two that wake each other do not keep the others waiting") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<bool> end{false};
    auto pair = rt.spawn([&] {
      while (!end) {
        auto f = weft::spawn([] { weft::this_fiber::yield(); });
        weft::this_fiber::yield();
        f.join();
      }
    });
    rt.spawn([] {
        for (int i = 0; i < 100; ++i) weft::this_fiber::yield();
      }).join();
    end = true;
    pair.join();
  });
}
