// SPDX-License-Identifier: BSL-1.0
// unit/rate_limiter_test.cpp - never more than the rate allows, in the order of asking.
#include <weft/rate_limiter.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <vector>

#include <weft/this_fiber.hpp>

#include "support/agents.hpp"

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using weft::test::agents;
using weft::test::on_all_agents;

TEST_CASE("rate_limiter [example]: a burst at once, the rest at their rate") {
  weft::run([] {
    int left = 15, sent = 0;
    const auto next = [&] { return left > 0 ? std::optional(left--) : std::nullopt; };
    const auto send = [&](int) { ++sent; };
    const auto start = clock_type::now();
    weft::rate_limiter limit(1000.0, 10);
    while (auto r = next()) {
      limit.acquire();
      send(*r);
    }
    CHECK(sent == 15);
    CHECK(clock_type::now() - start >= 5ms);
  });
}

TEST_CASE("rate_limiter: from many agents never faster than its rate") {
  on_all_agents([](agents& s) {
    constexpr int agents_count = 6, each = 10, burst = 4;
    const auto start = clock_type::now();
    weft::rate_limiter limit(5000.0, burst);
    for (int i = 0; i < agents_count; ++i)
      s.start([&] {
        for (int k = 0; k < each; ++k) limit.acquire();
      });
    s.join();
    CHECK(clock_type::now() - start >= (agents_count * each - burst) * 200us - 1us);
  });
}

TEST_CASE("rate_limiter: what is not there is refused, and says so at once") {
  weft::rate_limiter limit(0.001, 2);  // a token in 1000 s
  CHECK(limit.try_acquire());
  CHECK(!limit.try_acquire(2));
  CHECK(limit.try_acquire());
  CHECK(!limit.try_acquire());
  CHECK(!limit.acquire_for(1, 1h - 59min));
  CHECK(!limit.acquire_until(1, clock_type::now() + 1s));
  CHECK_THROWS_AS(limit.acquire(3), std::invalid_argument);
  CHECK_THROWS_AS(limit.acquire(0), std::invalid_argument);
  CHECK_THROWS_AS(weft::rate_limiter(0), std::invalid_argument);
  CHECK_THROWS_AS(weft::rate_limiter(1, 0), std::invalid_argument);
}

TEST_CASE("rate_limiter: a stopped wait gives its tokens back") {
  weft::run([] {
    weft::rate_limiter limit(1.0, 1);
    limit.acquire();
    std::stop_source stop;
    auto waiting = weft::spawn([&] { return limit.acquire(1, stop.get_token()); });
    weft::this_fiber::sleep_for(1ms);
    stop.request_stop();
    CHECK(!waiting.join());
    CHECK(!limit.acquire(1, stop.get_token()));  // refused before it reserved
    // due in a second; with the tokens lost it would be two
    CHECK(limit.acquire_for(1, 1500ms));
  });
}

TEST_CASE("rate_limiter: first come, first served, behind a large one too") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::rate_limiter limit(20.0, 8);
    limit.acquire(8);
    std::vector<int> order;
    std::vector<weft::fiber<void>> fibers;
    for (int i = 0; i < 6; ++i) {
      fibers.push_back(weft::spawn([&, i] {
        limit.acquire(i == 0 ? 8 : 1);
        order.push_back(i);
      }));
      weft::this_fiber::yield();
    }
    for (auto& f : fibers) f.join();
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4, 5});
  });
}
