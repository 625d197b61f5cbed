// SPDX-License-Identifier: BSL-1.0
// unit/latch_test.cpp - as the standard library's own tests ask, on every kind of execution agent.
#include <weft/latch.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stop_token>
#include <vector>

#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/in_child.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

static_assert(weft::latch::max() > 1'000'000);

TEST_CASE("latch [example]: all are warm") {
  weft::run([] {
    constexpr int workers = 10;
    std::vector<int> warm_up(workers);
    weft::latch warm(workers);
    for (auto& w : warm_up)
      weft::spawn([&] {
        w = 1;
        warm.count_down();
      }).detach();
    warm.wait();
    for (const int w : warm_up) CHECK(w == 1);
  });
}

TEST_CASE("latch: counts down, once") {
  weft::latch none(0);
  CHECK(none.try_wait());
  none.wait();
  weft::latch l(3);
  CHECK(!l.try_wait());
  l.count_down(2);
  CHECK(!l.wait_for(1ms));
  l.count_down(0);
  std::stop_source stop;
  stop.request_stop();
  CHECK(!l.wait(stop.get_token()));
  CHECK(!l.wait_for(stop.get_token(), 1h));
  l.count_down();
  CHECK(l.try_wait());
  CHECK(l.wait(stop.get_token()));
  CHECK(l.wait_until(std::chrono::steady_clock::now()));
}

TEST_CASE("latch: arrive_and_wait lets nobody through early") {
  on_all_agents([](agents& s) {
    constexpr int n = 50;
    weft::latch l(n);
    std::atomic<int> arrived{0};
    for (int i = 0; i < n; ++i)
      s.start([&] {
        arrived.fetch_add(1, std::memory_order_relaxed);
        l.arrive_and_wait();
        CHECK(arrived.load(std::memory_order_relaxed) == n);
      });
    s.join();
  });
}

TEST_CASE("latch: a waiter may destroy it while count_down is on its way out") {
  on_all_agents([](agents& s) {
    for (int round = 0; round < 100; ++round) {
      auto l = std::make_shared<weft::latch>(1);
      weft::latch* const seen = l.get();
      s.start([seen] { seen->count_down(); });
      s.start([l = std::move(l)]() mutable {
        l->wait();
        l.reset();
      });
      s.join();
    }
  });
}

TEST_CASE("latch: below zero is reported") {
  const auto end = weft::test::in_child([] {
    weft::latch l(1);
    l.count_down(2);
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("a latch was counted down below zero") != std::string::npos,
                end.errors);
}

TEST_CASE("latch: counts that are none are reported") {
  const auto ends_with = [](auto body, const char* says) {
    const auto end = weft::test::in_child([&] {
      body();
      return 0;
    });
    CHECK(end.signal == SIGABRT);
    CHECK_MESSAGE(end.errors.find(says) != std::string::npos, end.errors);
  };
  const char* const below = "a latch was counted down below zero";
  const char* const range = "a negative count, or more than its max()";
  ends_with([] { weft::latch(-1).wait(); }, range);
  ends_with([] { static_cast<void>(weft::latch(weft::latch::max() + 1).try_wait()); }, range);
  ends_with([] { weft::latch(1).count_down(-1); }, below);
  ends_with([] { weft::latch(1).count_down(PTRDIFF_MAX); }, below);  // it was added
  weft::latch most(weft::latch::max());
  most.count_down(weft::latch::max());
  CHECK(most.try_wait());
}
