// SPDX-License-Identifier: BSL-1.0
// Timers against everything else that ends a wait: stop requests, joins that give up, many sleepers
// at once.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"
#include "support/seed.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

TEST_CASE("many sleepers, none short, none forgotten") {
  each_runtime([](weft::runtime& rt) {
    const std::size_t n = scaled(20'000);
    std::atomic<std::size_t> woke{0}, early{0};
    for (std::size_t i = 0; i < n; ++i)
      rt.spawn([&, i] {
          choices pick(i);
          for (int k = 0; k < 3; ++k) {
            const auto wanted = std::chrono::microseconds(pick.below(30'000));
            const auto begin = steady_clock::now();
            static_cast<void>(weft::this_fiber::sleep_for(wanted));
            if (steady_clock::now() - begin < wanted) ++early;
          }
          ++woke;
        }).detach();
    until([&] { return woke == n; });
    CHECK(early == 0);
  });
}

TEST_CASE("stop requests race with deadlines") {
  each_runtime([](weft::runtime& rt) {
    choices pick(7);
    std::size_t stopped = 0;
    const std::size_t n = scaled(6000);
    for (std::size_t i = 0; i < n; ++i) {
      const auto nap = std::chrono::microseconds(pick.below(120));
      auto f = rt.spawn([nap] { return weft::this_fiber::sleep_for(nap); });
      const auto before = std::chrono::microseconds(pick.below(120));
      if (pick.below(2) == 0) static_cast<void>(weft::this_fiber::sleep_for(before));
      f.request_stop();
      stopped += f.join() == weft::wait_result::stopped;
    }
    CHECK(stopped <= n);
  });
}

TEST_CASE("joins that give up race with ends, from fibers and threads") {
  each_runtime([](weft::runtime& rt) {
    const auto work = [&rt](std::uint64_t stream) {
      choices pick(stream);
      for (std::size_t i = 0; i < scaled(1500); ++i) {
        auto f = rt.spawn([nap = pick.below(100)] {
          static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(nap)));
          return 1;
        });
        int tries = 0;
        while (!f.join_for(std::chrono::microseconds(pick.below(60)))) ++tries;
        CHECK(f.join() == 1);
      }
    };
    std::thread outside([&] { work(1); });
    auto a = rt.spawn(work, std::uint64_t{2});
    auto b = rt.spawn(work, std::uint64_t{3});
    outside.join();
    a.join();
    b.join();
  });
}

TEST_CASE("one worker computes without end while the others keep the time") {
  weft::options o;
  o.workers = 3;
  with_runtime(o, [](weft::runtime& rt) {
    std::atomic<std::size_t> ticks{0};
    std::atomic<bool> end{false};
    auto compute = rt.spawn([&] {
      static_cast<void>(weft::this_fiber::sleep_for(1ms));  // woken by a timer, on its processor
      const auto limit = steady_clock::now() + 60s;
      while (!end && steady_clock::now() < limit) {
      }
      return end.load();
    });
    std::vector<weft::fiber<>> tickers;
    for (std::uint64_t i = 0; i < 20; ++i)
      tickers.push_back(rt.spawn([&, i] {
        choices pick(50 + i);
        while (!end) {
          static_cast<void>(
              weft::this_fiber::sleep_for(std::chrono::microseconds(pick.below(2000))));
          ++ticks;
        }
      }));
    until([&] { return ticks > scaled(3000); });
    end = true;
    for (auto& f : tickers) f.join();
    CHECK(compute.join());
  });
}
