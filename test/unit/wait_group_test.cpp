// SPDX-License-Identifier: BSL-1.0
// unit/wait_group_test.cpp - the count, its waiters, re-use, and destruction by the first to
// return.
#include <weft/wait_group.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stop_token>
#include <vector>

#include <weft/event.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/in_child.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

static_assert(sizeof(weft::wait_group) <= 24);
constinit weft::wait_group at_namespace_scope;

TEST_CASE("wait_group [example]: waits for detached fibers") {
  weft::run([] {
    std::vector<int> results(100);
    weft::wait_group pending;
    for (auto& r : results) {
      pending.add();
      weft::spawn([&] {
        r = 1;
        pending.done();
      }).detach();
    }
    pending.wait();
    for (const int r : results) CHECK(r == 1);
  });
}

TEST_CASE("wait_group: zero lets through, more does not") {
  weft::wait_group w;
  w.wait();
  CHECK(w.wait_for(0s));
  w.add(3);
  CHECK(w.count() == 3);
  w.done();
  w.add(-1);
  CHECK(!w.wait_for(1ms));
  CHECK(!w.wait_until(std::chrono::steady_clock::now()));
  std::stop_source stop;
  stop.request_stop();
  CHECK(!w.wait(stop.get_token()));
  w.done();
  CHECK(w.wait(stop.get_token()));
  CHECK(w.count() == 0);
}

TEST_CASE("wait_group: rounds, on every kind of agent") {
  on_all_agents([](agents& s) {
    weft::wait_group w;
    for (int round = 0; round < 10; ++round) {
      constexpr int n = 60;
      std::vector<int> results(n);
      std::atomic<int> through{0};
      w.add(n);
      for (int i = 0; i < 5; ++i)
        s.start([&] {
          w.wait();
          for (const int r : results) CHECK(r == 1);
          through.fetch_add(1, std::memory_order_relaxed);
        });
      for (int i = 0; i < n; ++i)
        s.start([&, i] {
          results[static_cast<std::size_t>(i)] = 1;
          w.done();
        });
      w.wait();
      s.join();
      CHECK(through.load(std::memory_order_relaxed) == 5);
    }
  });
}

TEST_CASE("wait_group: a waiter may destroy it while the last done is on its way out") {
  on_all_agents([](agents& s) {
    for (int round = 0; round < 100; ++round) {
      auto w = std::make_shared<weft::wait_group>(3);
      weft::wait_group* const seen = w.get();
      for (int i = 0; i < 3; ++i) s.start([seen] { seen->done(); });
      s.start([w = std::move(w)]() mutable {
        w->wait();
        w.reset();
      });
      s.join();
    }
  });
}

TEST_CASE("wait_group: timed and stopped waiters come and go") {
  on_all_agents([](agents& s) {
    weft::wait_group w(1), never(1);
    std::stop_source stop;
    std::atomic<int> stopped{0}, done{0};
    for (int i = 0; i < 30; ++i)
      s.start([&, i] {
        if (i % 3 == 0) {
          while (!w.wait_for(30us)) {
          }
          done.fetch_add(1, std::memory_order_relaxed);
        } else if (i % 3 == 1) {
          if (!never.wait(stop.get_token())) stopped.fetch_add(1, std::memory_order_relaxed);
        } else {
          w.wait();
          done.fetch_add(1, std::memory_order_relaxed);
        }
      });
    s.start([&] {
      stop.request_stop();
      weft::this_fiber::sleep_for(200us);
      w.done();
    });
    s.join();
    CHECK(stopped.load(std::memory_order_relaxed) == 10);
    CHECK(done.load(std::memory_order_relaxed) == 20);
    never.done();
  });
}

TEST_CASE("wait_group: below zero is reported") {
  const auto end = weft::test::in_child([] {
    weft::wait_group w(1);
    w.done(2);
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("more often that something is done") != std::string::npos,
                end.errors);
}

TEST_CASE("wait_group: counts that are none are reported") {
  const auto ends_with = [](auto body, const char* says) {
    const auto end = weft::test::in_child([&] {
      body();
      return 0;
    });
    CHECK(end.signal == SIGABRT);
    CHECK_MESSAGE(end.errors.find(says) != std::string::npos, end.errors);
  };
  const char* const below = "more often that something is done";
  const char* const range = "a negative count, or more than its max()";
  constexpr auto most = weft::wait_group::max();
  ends_with([] { weft::wait_group(-1).wait(); }, range);
  ends_with([] { weft::wait_group(most).add(); }, range);
  ends_with([] { weft::wait_group().add(PTRDIFF_MAX); }, range);
  ends_with([] { weft::wait_group(1).add(PTRDIFF_MIN); }, below);
  ends_with([] { weft::wait_group(1).done(PTRDIFF_MAX); }, below);
  ends_with([] { weft::wait_group(1).done(-1); }, below);
  weft::wait_group w(most);
  w.add(-most);
  w.add(most);
  w.done(most);
  w.wait();
}
