// SPDX-License-Identifier: BSL-1.0
// unit/barrier_test.cpp - phases, completion, dropping out.
#include <weft/barrier.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <stop_token>
#include <vector>

#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/in_child.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

TEST_CASE("barrier [example]: a computation in steps") {
  weft::run([] {
    constexpr std::size_t n = 4;
    std::vector<int> now(n, 1), next(n, 0);
    weft::barrier step(n, [&]() noexcept { std::swap(now, next); });
    std::vector<weft::fiber<void>> fibers;
    for (std::size_t i = 0; i < n; ++i)
      fibers.push_back(weft::spawn([&, i] {
        for (int round = 0; round < 10; ++round) {
          next[i] = now[i] + now[(i + 1) % n];
          step.arrive_and_wait();
        }
      }));
    for (auto& f : fibers) f.join();
    for (const int v : now) CHECK(v == 1024);
  });
}

TEST_CASE("barrier: the completion runs once per phase, alone") {
  on_all_agents([](agents& s) {
    constexpr int n = 12, phases = 60;
    int completed = 0;
    std::atomic<int> arrived{0};
    weft::barrier b(n, [&]() noexcept {
      ++completed;
      arrived.store(0, std::memory_order_relaxed);
    });
    for (int i = 0; i < n; ++i)
      s.start([&, i] {
        for (int p = 0; p < phases; ++p) {
          CHECK(completed == p);
          arrived.fetch_add(1, std::memory_order_relaxed);
          if (i % 2 == 0) {
            b.arrive_and_wait();
          } else {
            auto token = b.arrive();
            weft::this_fiber::yield();
            b.wait(std::move(token));
          }
        }
      });
    s.join();
    CHECK(completed == phases);
  });
}

TEST_CASE("barrier: arrive_and_drop shrinks it") {
  on_all_agents([](agents& s) {
    constexpr int n = 8;
    int phases = 0;
    weft::barrier b(n, [&]() noexcept { ++phases; });
    for (int i = 0; i < n; ++i)
      s.start([&, i] {
        for (int p = 0; p < i; ++p) b.arrive_and_wait();
        b.arrive_and_drop();
      });
    s.join();
    CHECK(phases == n);
  });
}

TEST_CASE("barrier: giving up leaves the arrival counted, the token is still good") {
  weft::barrier b(2);
  auto token = b.arrive();
  std::stop_source stop;
  stop.request_stop();
  CHECK(!b.wait_for(token, 1ms));
  CHECK(!b.wait(token, stop.get_token()));
  auto other = b.arrive();
  CHECK(b.wait_for(token, 0s));
  CHECK(b.wait_until(token, std::chrono::steady_clock::now()));
  b.wait(std::move(token));
  b.wait(std::move(other));
}

TEST_CASE("barrier: too many arrivals are reported") {
  const auto end = weft::test::in_child([] {
    weft::barrier b(1);
    static_cast<void>(b.arrive(2));
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("more arrivals at a barrier") != std::string::npos, end.errors);
}
