// SPDX-License-Identifier: BSL-1.0
// unit/timer_test.cpp - one firing, taken once; moved, called off.
#include <weft/timer.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <optional>

#include <weft/select.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using weft::test::agents;
using weft::test::on_all_agents;

TEST_CASE("timer [example]: serves until nobody asks for a while") {
  weft::run([] {
    weft::channel<int> requests(0);
    int served = 0;
    const auto serve = [&](std::optional<int> r) { return served += r.value(), true; };
    auto client = weft::spawn([&] {
      for (int i = 0; i < 3; ++i) requests.send(1);
    });
    weft::timer idle(1h);
    for (bool open = true; open;)
      weft::select(weft::on_receive(requests,
                                    [&](auto r) {
                                      idle.reset(served < 2 ? 1h : 0h);
                                      open = serve(r);
                                    }),
                   weft::on_timer(idle, [&] { open = false; }));
    client.join();
    CHECK(served == 3);
  });
}

TEST_CASE("timer: fires not before its time, once") {
  on_all_agents([](agents& s) {
    s.start([] {
      weft::timer t(1h);
      CHECK(!t.try_wait());
      const auto start = clock_type::now();
      t.reset(3ms);
      CHECK(t.wait());
      CHECK(clock_type::now() - start >= 3ms);
      CHECK(!t.wait());  // idle now
      CHECK(!t.stop());
      CHECK(!t.reset(clock_type::now()));
      CHECK(t.try_wait());
      weft::timer never;
      CHECK(!never.wait());
      CHECK(weft::after(1ms).wait());
    });
    s.join();
  });
}

TEST_CASE("timer: stop ends the waits, reset moves them; nothing is left over") {
  on_all_agents([](agents& s) {
    weft::timer t(1h);
    std::atomic<int> fired{0}, ended{0};
    for (int i = 0; i < 4; ++i)
      s.start([&] {
        fired += t.wait();
        ++ended;
      });
    s.start([&] {
      while (!t.reset(1h)) weft::this_fiber::yield();
      CHECK(t.reset(1ms));
      // one took it, the others found it idle
      while (ended < 4) weft::this_fiber::sleep_for(100us);
      CHECK(fired == 1);
      CHECK(!t.stop());
      t.reset(1h);
      CHECK(t.stop());
      CHECK(!t.try_wait());
      std::stop_source stop;
      stop.request_stop();
      t.reset(1h);
      CHECK(!t.wait(stop.get_token()));
    });
    s.join();
    CHECK(fired == 1);
  });
}

TEST_CASE("timer: a firing against a stop: exactly one of them has it") {
  on_all_agents([](agents& s) {
    constexpr int rounds = 100;
    weft::channel<int> turn(0);
    weft::timer t;
    int fired = 0, stopped = 0;
    s.start([&] {
      for (int i = 0; i < rounds; ++i) {
        t.reset(std::chrono::microseconds(i * 2));
        turn.send(i);
        fired += t.wait();
        turn.send(i);
      }
      turn.close();
    });
    s.start([&] {
      while (turn.receive()) {
        stopped += t.stop();
        turn.receive();
      }
    });
    s.join();
    // A stop that came when it was due, but not taken yet, has called it off and says false.
    CHECK(fired + stopped <= rounds);
    CHECK(!t.try_wait());
  });
}
