// SPDX-License-Identifier: BSL-1.0
// scope: nobody outlives the block, the first failure stops the others, limits hold.
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

TEST_CASE("leaving the block joins") {
  each_fiber([] {
    std::atomic<int> done{0};
    {
      weft::scope s;
      for (int i = 0; i < 100; ++i)
        s.spawn([&, i] {
          if (i % 3 == 0) static_cast<void>(weft::this_fiber::sleep_for(100us));
          ++done;
        });
    }
    CHECK(done == 100);
  });
}

TEST_CASE("plain threads have scopes, too") {
  weft::scope s;
  std::atomic<int> done{0};
  for (int i = 0; i < 20; ++i) s.spawn([&](int n) { done += n; }, 2);
  s.join();
  CHECK(done == 40);
  CHECK(s.size() == 0);
}

TEST_CASE("what a child returns is destroyed before join returns") {
  struct slow_to_die {
    std::shared_ptr<std::atomic<int>> alive;
    ~slow_to_die() {
      if (alive == nullptr) return;
      static_cast<void>(weft::this_fiber::sleep_for(200us));
      --*alive;
    }
    slow_to_die(std::shared_ptr<std::atomic<int>> a) : alive(std::move(a)) { ++*alive; }
    slow_to_die(slow_to_die&&) = default;
  };
  each_fiber([] {
    auto alive = std::make_shared<std::atomic<int>>(0);
    weft::scope s;
    for (int i = 0; i < 10; ++i) s.spawn([alive] { return slow_to_die(alive); });
    s.join();
    CHECK(*alive == 0);
  });
}

TEST_CASE("the first failure stops the siblings and is rethrown") {
  each_fiber([] {
    std::atomic<int> stopped{0};
    std::atomic<int> parked{0};
    weft::scope s;
    for (int i = 0; i < 20; ++i)
      s.spawn([&] {
        ++parked;
        park_until_stopped();
        ++stopped;
      });
    s.spawn([&] {
      until([&] { return parked == 20; });
      throw std::runtime_error("first");
    });
    CHECK_THROWS_WITH(s.join(), "first");
    CHECK(stopped == 20);
    CHECK(s.stop_requested());
  });
}

TEST_CASE("the destructor rethrows, unless the block is left by an exception") {
  each_fiber([] {
    CHECK_THROWS_WITH(
        [] {
          weft::scope s;
          s.spawn([] { throw std::runtime_error("child"); });
        }(),
        "child");
    std::atomic<bool> ended{false};
    CHECK_THROWS_WITH(
        [&] {
          weft::scope s;
          s.spawn([&] {
            park_until_stopped();
            ended = true;
            throw std::runtime_error("child");
          });
          throw std::runtime_error("block");
        }(),
        "block");
    CHECK(ended);
  });
}

TEST_CASE("a scope inside a destructor during unwinding still reports its children") {
  struct cleaner {
    bool& caught;
    ~cleaner() {
      try {
        weft::scope s;
        s.spawn([] { throw 7; });
        s.join();
      } catch (int) {
        caught = true;
      }
    }
  };
  each_fiber([] {
    bool caught = false;
    CHECK_THROWS_WITH(
        [&] {
          const cleaner c{caught};
          throw std::runtime_error("outer");
        }(),
        "outer");
    CHECK(caught);
  });
}

TEST_CASE("a scope is usable again after join, also after a failure was taken") {
  each_fiber([] {
    weft::scope s;
    s.spawn([] { throw 1; });
    CHECK_THROWS_AS(s.join(), int);
    s.join();
    std::atomic<int> ran{0};
    s.spawn([&] { ++ran; });
    s.join();
    CHECK(ran == 1);
  });
}

TEST_CASE("a child spawned into a stopping scope starts with its stop requested") {
  each_fiber([] {
    weft::scope s;
    s.request_stop();
    std::atomic<bool> asked{false};
    s.spawn([&] {
      asked = weft::this_fiber::stop_requested() && weft::this_fiber::stop_token().stop_requested();
    });
    s.join();
    CHECK(asked);
  });
}

TEST_CASE("a stop request on the joiner is passed on") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<int> parked{0}, stopped{0};
    auto owner = rt.spawn([&] {
      weft::scope s;
      for (int i = 0; i < 5; ++i)
        s.spawn([&] {
          ++parked;
          park_until_stopped();
          ++stopped;
        });
    });
    until([&] { return parked == 5; });
    owner.request_stop();
    owner.join();
    CHECK(stopped == 5);
  });
}

TEST_CASE("join after a call that may have gone on on another thread") {
  weft::options o;
  o.workers = 1;
  with_runtime(o, [](weft::runtime& rt) {
    rt.spawn([] {
        for (int round = 0; round < 200; ++round) {
          weft::scope s;
          for (int i = 0; i < 4; ++i) s.spawn([] { weft::this_fiber::yield(); });
          // the processor goes to another thread; join's way into weft finds out
          weft::block_in_place([] {});
          s.join();
        }
      }).join();
  });
}

TEST_CASE("children spawn into their own scope, and scopes nest") {
  each_fiber([] {
    std::atomic<int> leaves{0};
    struct tree {
      static void grow(std::atomic<int>& leaves, int depth) {
        if (depth == 0) {
          ++leaves;
          return;
        }
        weft::scope s;
        for (int i = 0; i < 4; ++i) s.spawn([&leaves, depth] { grow(leaves, depth - 1); });
      }
    };
    tree::grow(leaves, 5);
    CHECK(leaves == 1024);

    weft::scope s;
    std::atomic<int> ran{0};
    s.spawn([&] {
      for (int i = 0; i < 10; ++i)
        s.spawn([&] {
          s.spawn([&] { ++ran; });
          ++ran;
        });
    });
    s.join();
    CHECK(ran == 20);
  });
}
