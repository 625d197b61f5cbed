// SPDX-License-Identifier: BSL-1.0
// Pinned fibers come back to the thread that first ran them.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"
#include "support/seed.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

weft::attributes pinned() {
  weft::attributes a;
  a.pinned = true;
  return a;
}

[[gnu::noinline]] std::thread::id thread_now() {
  asm volatile("" ::: "memory");
  return std::this_thread::get_id();
}

}  // namespace

TEST_CASE("every step is on the same thread") {
  each_runtime([](weft::runtime& rt) {
    std::vector<weft::fiber<int>> all;
    for (int i = 0; i < 40; ++i)
      all.push_back(rt.spawn(pinned(), [i] {
        const auto home = thread_now();
        int wrong = 0;
        for (int k = 0; k < 50; ++k) {
          if (k % 5 == 0)
            static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(7 * i)));
          else
            weft::this_fiber::yield();
          wrong += thread_now() != home;
        }
        return wrong;
      }));
    for (auto& f : all) CHECK(f.join() == 0);
  });
}

TEST_CASE("what a pinned fiber runs inline stays there, too") {
  each_runtime([](weft::runtime& rt) {
    rt.spawn(pinned(), [] {
        const auto home = thread_now();
        for (int i = 0; i < 100; ++i) {
          weft::spawn([] { weft::this_fiber::yield(); }).join();
          REQUIRE(thread_now() == home);
        }
      }).join();
  });
}

TEST_CASE("pinned ones among others, woken from everywhere") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<bool> end{false};
    std::vector<weft::fiber<>> noise;
    for (int i = 0; i < 8; ++i)
      noise.push_back(rt.spawn([&, i] {
        while (!end) {
          if (i % 2 == 0)
            weft::this_fiber::yield();
          else
            static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(20 * i)));
        }
      }));
    std::vector<weft::fiber<int>> all;
    for (int i = 0; i < 16; ++i)
      all.push_back(rt.spawn(pinned(), [] {
        const auto home = thread_now();
        int wrong = 0;
        for (int k = 0; k < static_cast<int>(scaled(200)); ++k) {
          weft::spawn([] { static_cast<void>(weft::this_fiber::sleep_for(10us)); }).join();
          wrong += thread_now() != home;
        }
        return wrong;
      }));
    for (auto& f : all) CHECK(f.join() == 0);
    end = true;
    for (auto& f : noise) f.join();
  });
}

TEST_CASE("a pinned fiber is woken again and again while all others sleep") {
  // The thread it is bound to retires each time; its mail must be seen (MAIL-1).
  weft::options o;
  o.workers = 2;
  with_runtime(o, [](weft::runtime& rt) {
    choices pick(1);
    for (int round = 0; round < static_cast<int>(scaled(3000)); ++round) {
      auto f = rt.spawn(pinned(), [us = pick.below(30)] {
        static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(us)));
        return 1;
      });
      auto other = rt.spawn([us = pick.below(30)] {
        static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(us)));
      });
      f.request_stop();
      REQUIRE(f.join() == 1);
      other.join();
    }
  });
}
