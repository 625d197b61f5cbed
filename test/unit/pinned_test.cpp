// SPDX-License-Identifier: BSL-1.0
// Fibers with a thread of their own come back to it, and nobody else runs there or holds them up.
#include <atomic>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>
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

// Until it has ticked twenty times: its neighbour does not end before.
TEST_CASE("who blocks or computes does not hold up a fiber with its own thread") {
  for (const bool computes : {false, true}) {
    weft::options o;
    o.workers = 1;
    with_runtime(o, [&](weft::runtime& rt) {
      std::atomic<int> ticks{0};
      auto ticker = rt.spawn({.own_thread = true}, [&] {
        for (int i = 0; i < 20; ++i, ++ticks) static_cast<void>(weft::this_fiber::sleep_for(1ms));
      });
      const auto limit = std::chrono::steady_clock::now() + 20s;
      auto rude = rt.spawn([&] {
        while (ticks < 20 && std::chrono::steady_clock::now() < limit)
          if (!computes) std::this_thread::sleep_for(300ms);
      });
      while (ticks < 20 && std::chrono::steady_clock::now() < limit)
        std::this_thread::sleep_for(1ms);
      CHECK(ticks == 20);
      rude.join();
      ticker.join();
    });
    if (WEFT_TSAN != 0) break;  // no preemption there
  }
}

namespace {
thread_local std::uint64_t touched_by = 0;
[[gnu::noinline]] std::uint64_t touch(std::uint64_t by) {
  asm volatile("" ::: "memory");
  return std::exchange(touched_by, by);
}
}  // namespace

TEST_CASE("nobody else runs on its thread, children included") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<bool> end{false};
    std::vector<weft::fiber<>> noise;
    for (std::uint64_t i = 1; i < 8; ++i)
      noise.push_back(rt.spawn([&, i] {
        while (!end) {
          touch(i);
          weft::this_fiber::yield();
        }
      }));
    std::vector<weft::fiber<int>> all;
    for (std::uint64_t i = 100; i < 106; ++i)
      all.push_back(rt.spawn({.own_thread = true}, [i] {
        int wrong = 0;
        touch(i);
        for (int k = 0; k < static_cast<int>(scaled(100)); ++k) {
          if (k % 3 == 0) weft::this_fiber::yield();
          if (k % 3 == 1) static_cast<void>(weft::this_fiber::sleep_for(50us));
          if (k % 3 == 2) weft::spawn([] { touch(50); }).join();
          wrong += touch(i) != i;
        }
        return wrong;
      }));
    for (auto& f : all) CHECK(f.join() == 0);
    end = true;
    for (auto& f : noise) f.join();
  });
}

TEST_CASE("its thread counts, is said to be missing, and serves the next one afterwards") {
  weft::options o;
  o.workers = 1;
  o.max_threads = 3;
  with_runtime(o, [](weft::runtime& rt) {
    for (int i = 0; i < 20; ++i)
      CHECK(rt.spawn({.own_thread = true}, [i] { return i; }).join() == i);
    std::vector<weft::fiber<>> all;
    for (int i = 0; i < 2; ++i)
      all.push_back(rt.spawn({.own_thread = true}, [] { park_until_stopped(); }));
    auto one_too_many = rt.spawn({.own_thread = true}, [] {});
    CHECK_THROWS_WITH_AS(one_too_many.join(), doctest::Contains("own_thread"), std::system_error);
    CHECK(rt.spawn([] { return 1; }).join() == 1);
    for (auto& f : all) f.request_stop();
    for (auto& f : all) f.join();
  });
}

TEST_CASE("a pinned fiber is woken again and again while all others sleep") {
  // Its thread lies down each time; its bound queue must be seen (SLEEP-3).
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
