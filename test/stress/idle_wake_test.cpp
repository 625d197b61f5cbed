// SPDX-License-Identifier: BSL-1.0
// Idle and wake (IDLE-1): every pause is long enough, or short enough, for workers to be anywhere
// between searching and asleep when the next fiber comes. A lost wake-up is a hang here.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "os/os.hpp"
#include "support/runtimes.hpp"
#include "support/seed.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

void pause(choices& pick) {
  switch (pick.below(4)) {
    case 0:
      break;
    case 1:
      for (auto n = pick.below(2000); n > 0; --n) weft::os::cpu_relax();
      break;
    case 2:
      std::this_thread::yield();
      break;
    default:
      std::this_thread::sleep_for(std::chrono::microseconds(pick.below(150)));
  }
}

}  // namespace

TEST_CASE("one fiber at a time from outside") {
  each_runtime([](weft::runtime& rt) {
    choices pick(1);
    for (std::size_t i = 0; i < scaled(6000); ++i) {
      rt.spawn([] {}).join();
      pause(pick);
    }
  });
}

TEST_CASE("one fiber at a time from outside, while sleepers come and go") {
  each_runtime([](weft::runtime& rt) {
    choices pick(2);
    std::atomic<bool> end{false};
    std::vector<weft::fiber<>> sleepers;
    for (std::uint64_t i = 0; i < 4; ++i)
      sleepers.push_back(rt.spawn([&end, i] {
        choices own(100 + i);
        while (!end)
          static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(own.below(200))));
      }));
    for (std::size_t i = 0; i < scaled(6000); ++i) {
      rt.spawn([] {}).join();
      pause(pick);
    }
    end = true;
    for (auto& f : sleepers) f.join();
  });
}

TEST_CASE("several outsiders, fibers that fan out") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<std::uint64_t> ran{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        choices pick(200 + t);
        for (std::size_t i = 0; i < scaled(1500); ++i) {
          const auto width = pick.below(6);
          rt.spawn([&ran, width] {
              std::vector<weft::fiber<>> all;
              for (std::uint64_t k = 0; k < width; ++k)
                all.push_back(weft::spawn([&ran] {
                  weft::this_fiber::yield();
                  ++ran;
                }));
              for (auto& f : all) f.join();
              ++ran;
            }).join();
          pause(pick);
        }
      });
    for (auto& t : threads) t.join();
    CHECK(ran >= 3 * scaled(1500));
  });
}

TEST_CASE("pinned fibers among idle workers") {
  each_runtime([](weft::runtime& rt) {
    std::vector<weft::fiber<>> all;
    for (std::uint64_t i = 0; i < 6; ++i) {
      weft::attributes a;
      a.pinned = i % 3 != 0;
      all.push_back(rt.spawn(a, [i] {
        choices pick(300 + i);
        for (std::size_t k = 0; k < scaled(1500); ++k) {
          if (pick.below(3) == 0) weft::spawn([] { weft::this_fiber::yield(); }).join();
          static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(pick.below(60))));
        }
      }));
    }
    for (auto& f : all) f.join();
  });
}
