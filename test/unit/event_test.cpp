// SPDX-License-Identifier: BSL-1.0
// unit/event_test.cpp - set, reset, wait, and who may destroy it.
#include <weft/event.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stop_token>
#include <vector>

#include <weft/this_fiber.hpp>

#include "support/agents.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

static_assert(sizeof(weft::event) <= 24);
static_assert(!std::is_copy_constructible_v<weft::event>);
constinit weft::event at_namespace_scope;

TEST_CASE("event [example]: what came before set is seen after wait") {
  weft::run([] {
    weft::event ready;
    int listening = 0;
    auto server = weft::spawn([&] {
      listening = 1;
      ready.set();
    });
    ready.wait();
    CHECK(listening == 1);
    server.join();
  });
}

TEST_CASE("event: stays set until reset") {
  weft::event e;
  CHECK(!e.is_set());
  CHECK(!e.wait_for(0s));
  e.set();
  e.set();
  CHECK(e.is_set());
  e.wait();
  CHECK(e.wait_for(0s));
  CHECK(e.wait_until(std::chrono::steady_clock::now() - 1s));
  e.reset();
  CHECK(!e.is_set());
  CHECK(!e.wait_for(1ms));
  CHECK(!e.wait_until(std::chrono::system_clock::now() + 1ms));
}

TEST_CASE("event: lets everybody through at once") {
  on_all_agents([](agents& s) {
    weft::event e;
    std::atomic<int> through{0};
    constexpr int n = 200;
    for (int i = 0; i < n; ++i)
      s.start([&] {
        e.wait();
        through.fetch_add(1, std::memory_order_relaxed);
      });
    weft::this_fiber::yield();
    s.start([&] {
      CHECK(through.load(std::memory_order_relaxed) == 0);
      e.set();
    });
    s.join();
    CHECK(through.load(std::memory_order_relaxed) == n);
  });
}

TEST_CASE("event: a waiter may destroy it while set is on its way out") {
  on_all_agents([](agents& s) {
    for (int i = 0; i < 300; ++i) {
      auto e = std::make_unique<weft::event>();
      weft::event* const seen = e.get();
      s.start([seen] { seen->set(); });
      s.start([e = std::shared_ptr<weft::event>(std::move(e))]() mutable {
        e->wait();
        e.reset();
      });
      s.join();
    }
  });
}

TEST_CASE("event: a stop request ends a wait that was given the token") {
  on_all_agents([](agents& s) {
    weft::event never, last;
    std::stop_source stop;
    std::atomic<int> waiting{0}, stopped{0};
    for (int i = 0; i < 20; ++i)
      s.start([&, i] {
        waiting.fetch_add(1, std::memory_order_relaxed);
        const bool set =
            i % 2 == 0 ? never.wait(stop.get_token()) : never.wait_for(stop.get_token(), 1h);
        if (!set && stopped.fetch_add(1, std::memory_order_relaxed) == 19) last.set();
      });
    s.start([&] { stop.request_stop(); });
    last.wait();
    s.join();
    CHECK(!never.wait(stop.get_token()));  // at once
    never.set();
    CHECK(never.wait(stop.get_token()));
  });
}

TEST_CASE("event: the fiber's own stop request, by its token") {
  weft::run([] {
    weft::event never, begun;
    auto f = weft::spawn([&] {
      begun.set();
      return never.wait(weft::this_fiber::stop_token());
    });
    begun.wait();
    f.request_stop();
    CHECK(f.join() == false);
  });
}

TEST_CASE("event: set and timeout race, nothing is lost") {
  on_all_agents([](agents& s) {
    for (int round = 0; round < 20; ++round) {
      weft::event e, done;
      s.start([&] {
        while (!e.wait_for(50us)) {
        }
        done.set();
      });
      s.start([&] {
        weft::this_fiber::sleep_for(60us);
        e.set();
      });
      done.wait();
      s.join();
    }
  });
}
