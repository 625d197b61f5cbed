// SPDX-License-Identifier: BSL-1.0
// unit/ticker_test.cpp - ticks at their times; late receivers lose some, and the rhythm stays.
#include <weft/timer.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

#include <weft/fiber.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using weft::test::agents;
using weft::test::on_all_agents;

TEST_CASE("ticker: no tick before its time") {
  on_all_agents([](agents& s) {
    s.start([] {
      const auto start = clock_type::now();
      weft::ticker t(2ms);
      for (int i = 1; i <= 5; ++i) {
        CHECK(t.wait());
        CHECK(clock_type::now() - start >= i * 2ms);
      }
    });
    s.join();
  });
}

TEST_CASE("ticker: missed ticks are dropped, the next comes at its time") {
  weft::run([] {
    const auto before = clock_type::now();
    weft::ticker t(4ms);
    const auto start = clock_type::now();
    weft::this_fiber::sleep_until(start + 30ms);
    CHECK(t.wait());  // at once, for all that were missed
    const auto missed = (clock_type::now() - start) / 4ms;
    CHECK(missed >= 7);
    const auto taken = clock_type::now();
    CHECK(t.wait());
    CHECK(clock_type::now() > taken);
    CHECK(clock_type::now() - before >= (missed + 1) * 4ms);  // not one of the missed
  });
}

TEST_CASE("ticker: stop, reset, and a period of nothing") {
  on_all_agents([](agents& s) {
    s.start([] {
      CHECK_THROWS_AS(weft::ticker(0ms), std::invalid_argument);
      weft::ticker t(1h);
      CHECK(!t.try_wait());
      auto stopper = weft::spawn([&] { t.stop(); });
      CHECK(!t.wait());
      stopper.join();
      t.reset(1ms);
      CHECK(t.wait());
      CHECK(t.wait());
    });
    s.join();
  });
}
