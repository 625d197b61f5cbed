// SPDX-License-Identifier: BSL-1.0
// unit/scope_limit_test.cpp - a scope with a limit: who waits for a place, and who gets it.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/debug.hpp>
#include <weft/event.hpp>
#include <weft/offload.hpp>
#include <weft/scope.hpp>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {
bool has_parked_at_limit() {
  return weft::debug::dump_fibers().find("parked, scope limit") != std::string::npos;
}
}  // namespace

TEST_CASE("at most `limit` children are alive") {
  each_fiber([] {
    for (const std::size_t limit : {1u, 2u, 7u}) {
      std::atomic<int> now{0}, most{0}, ran{0};
      {
        weft::scope s{weft::scope_limit{limit}};
        for (int i = 0; i < 200; ++i)
          s.spawn([&] {
            const int here = ++now;
            int seen = most;
            while (seen < here && !most.compare_exchange_weak(seen, here)) {
            }
            if (ran % 5 == 0) static_cast<void>(weft::this_fiber::sleep_for(20us));
            weft::this_fiber::yield();
            --now;
            ++ran;
          });
      }
      CHECK(ran == 200);
      CHECK(most <= static_cast<int>(limit));
    }
  });
}

TEST_CASE("a limit of zero is refused, the largest is none") {
  each_fiber([] {
    const auto later = std::chrono::steady_clock::now() + 1h;
    CHECK_THROWS_AS(weft::scope(weft::scope_limit{0}), std::invalid_argument);
    CHECK_THROWS_AS(weft::scope(weft::scope_limit{0}, weft::scope_deadline{later}),
                    std::invalid_argument);
    std::atomic<int> ran{0};
    {
      weft::scope s{weft::scope_limit{static_cast<std::size_t>(-1)}};
      for (int i = 0; i < 10; ++i) s.spawn([&] { ++ran; });
    }
    CHECK(ran == 10);
  });
}

TEST_CASE("several spawners wait at a limit in the order of asking") {
  weft::options o;
  o.workers = 1;       // a spawner that has counted itself goes on until it waits
  o.time_slice = 0ms;  // and is not interrupted
  o.retake = false;
  with_runtime(o, [](weft::runtime& rt) {
    rt.spawn([] {
        std::vector<int> order;
        int waiting = 0;
        bool go = false;
        weft::scope limited{weft::scope_limit{1}};
        limited.spawn([&] { until([&] { return go; }); });
        std::vector<weft::fiber<>> spawners;
        for (int i = 0; i < 8; ++i) {
          spawners.push_back(weft::spawn([&, i] {
            ++waiting;
            limited.spawn([&order, i] { order.push_back(i); });
          }));
          until([&] { return waiting == i + 1; });
        }
        go = true;
        for (auto& f : spawners) f.join();
        limited.join();
        CHECK(std::is_sorted(order.begin(), order.end()));
        CHECK(order.size() == 8);
      }).join();
  });
}

TEST_CASE("a stop request on who waits for a place is passed on") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<int> stopped{0};
    std::atomic<bool> third_was_asked{false};
    auto owner = rt.spawn([&] {
      weft::scope s{weft::scope_limit{2}};
      for (int i = 0; i < 2; ++i)
        s.spawn([&] {
          park_until_stopped();
          ++stopped;
        });
      s.spawn([&] { third_was_asked = weft::this_fiber::stop_requested(); });  // waits here
    });
    until([&] { return has_parked_at_limit(); });
    owner.request_stop();
    owner.join();
    CHECK(stopped == 2);
    CHECK(third_was_asked);
  });
}

TEST_CASE("a sibling's failure reaches the children of a scope whose owner waits for a place") {
  each_fiber([] {
    std::atomic<int> stopped{0};
    weft::scope outer;
    outer.spawn([&] {
      weft::scope inner{weft::scope_limit{1}};
      for (int i = 0; i < 3; ++i)
        inner.spawn([&] {
          park_until_stopped();
          ++stopped;
        });
    });
    outer.spawn([] {
      until([] { return has_parked_at_limit(); });
      throw std::runtime_error("sibling");
    });
    CHECK_THROWS_WITH(outer.join(), "sibling");
    CHECK(stopped == 3);
  });
}

TEST_CASE("a place goes to who has waited for it, also when others ask meanwhile and stops come") {
  each_runtime([](weft::runtime& rt) {
    rt.spawn([] {
        std::atomic<int> ran{0}, now{0}, most{0};
        weft::scope s{weft::scope_limit{3}};
        const auto work = [&] {
          const int here = ++now;
          for (int seen = most; seen < here && !most.compare_exchange_weak(seen, here);) {
          }
          weft::this_fiber::yield();
          --now;
          ++ran;
        };
        std::vector<weft::fiber<>> spawners;
        for (int i = 0; i < 8; ++i)
          spawners.push_back(weft::spawn([&] {
            for (int k = 0; k < 50; ++k) s.spawn(work);
          }));
        for (std::size_t i = 0; i < spawners.size(); i += 2) spawners[i].request_stop();
        for (auto& f : spawners) f.join();
        s.join();
        CHECK(ran == 400);
        CHECK(most <= 3);
      }).join();
  });
}

TEST_CASE(
    "try_spawn: never waits, never exceeds the limit, and leaves what it was given if there is no "
    "place") {
  each_fiber([] {
    weft::event go;
    std::atomic<int> ran{0};
    weft::scope s{weft::scope_limit{2}};
    const auto wait = [&] {
      go.wait();
      ++ran;
    };
    CHECK(s.try_spawn(wait));
    CHECK(s.try_spawn(weft::attributes{}, wait));
    auto argument = std::make_unique<int>(5);
    const auto take = [&](const std::unique_ptr<int>& n) { ran += *n; };
    CHECK_FALSE(s.try_spawn(take, std::move(argument)));
    REQUIRE(argument != nullptr);
    CHECK(s.size() == 2);
    go.set();
    s.join();
    CHECK(ran == 2);
    CHECK(s.try_spawn(take, std::move(argument)));
    s.request_stop();
    bool asked = false;
    CHECK(s.try_spawn([&] { asked = weft::this_fiber::stop_requested(); }));
    s.join();
    CHECK(ran == 7);
    CHECK(asked);
  });
}

TEST_CASE("try_spawn: a callable that cannot be copied costs no place, and who waits gets it") {
  struct fails_to_copy {
    bool fails = true;
    fails_to_copy() = default;
    fails_to_copy(const fails_to_copy& other) : fails(other.fails) {
      if (fails) throw std::runtime_error("copy");
    }
    void operator()() const {}
  };
  each_fiber([] {
    weft::scope s{weft::scope_limit{1}};
    const fails_to_copy f;
    for (int i = 0; i < 3; ++i) CHECK_THROWS_WITH(static_cast<void>(s.try_spawn(f)), "copy");
    CHECK_THROWS_WITH(s.spawn(f), "copy");
    CHECK(s.size() == 0);
    s.spawn([] {});
    s.join();
  });
}
