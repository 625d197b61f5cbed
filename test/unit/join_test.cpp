// SPDX-License-Identifier: BSL-1.0
// join, join_for, join_until: values, errors, misuse, deadlines of every size.
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("join waits for a fiber that parks, from fibers and from threads") {
  each_runtime([](weft::runtime& rt) {
    const auto slow = [] {
      static_cast<void>(weft::this_fiber::sleep_for(2ms));
      return 1;
    };
    CHECK(rt.spawn(slow).join() == 1);
    CHECK(rt.spawn([&] { return weft::spawn(slow).join() + 1; }).join() == 2);
  });
}

TEST_CASE("join sees all that the fiber did") {
  each_fiber([] {
    for (int i = 0; i < 200; ++i) {
      int plain = 0;
      auto f = weft::spawn([&plain] { plain = 1; });
      if (i % 2 == 0) weft::this_fiber::yield();
      f.join();
      REQUIRE(plain == 1);
    }
  });
}

TEST_CASE("join rethrows, and the handle is empty then") {
  each_fiber([] {
    auto f = weft::spawn([]() -> int { throw std::out_of_range("mine"); });
    CHECK_THROWS_WITH_AS(static_cast<void>(f.join()), "mine", std::out_of_range);
    CHECK_FALSE(f.joinable());
  });
}

TEST_CASE("joining twice, or nothing, is refused by name") {
  each_fiber([] {
    auto f = weft::spawn([] {});
    f.join();
    const auto refused = [](auto&& call, const char* name) {
      try {
        call();
        FAIL("no exception");
      } catch (const std::system_error& e) {
        CHECK(e.code() == std::errc::invalid_argument);
        CHECK(std::string(e.what()).find(std::string("weft::fiber::") + name +
                                         ": the handle has no fiber (joined, detached or moved "
                                         "from already)") != std::string::npos);
      }
    };
    refused([&] { f.join(); }, "join");
    refused([&] { f.detach(); }, "detach");
    refused([&] { static_cast<void>(f.join_for(1s)); }, "join_for/join_until");
    weft::fiber<int> none;
    refused([&] { none.join(); }, "join");
    auto g = weft::spawn([] {});
    auto h = std::move(g);
    refused([&] { g.join(); }, "join");  // NOLINT(bugprone-use-after-move)
    h.join();
  });
}

TEST_CASE("a fiber that joins itself is told, and can still be joined") {
  each_runtime([](weft::runtime& rt) {
    weft::fiber<> self;
    std::atomic<bool> ready{false};
    std::atomic<int> refused{0};
    self = rt.spawn([&] {
      until([&] { return ready.load(); });
      for (int i = 0; i < 2; ++i) {
        try {
          if (i == 0)
            self.join();
          else
            static_cast<void>(self.join_for(1h));
        } catch (const std::system_error& e) {
          if (e.code() == std::errc::resource_deadlock_would_occur &&
              std::string(e.what()).find("cannot wait for its own end") != std::string::npos)
            ++refused;
        }
      }
    });
    ready = true;
    until([&] { return refused == 2; });
    self.join();
  });
}

TEST_CASE("join_for gives up, join afterwards still works") {
  each_runtime([](weft::runtime& rt) {
    const auto both = [&] {
      std::atomic<bool> go{false};
      auto f = rt.spawn([&] {
        until([&] { return go.load(); });
        return 3;
      });
      CHECK_FALSE(f.join_for(1ms));
      CHECK_FALSE(f.join_for(0ms));
      CHECK_FALSE(f.join_for(-1h));
      CHECK_FALSE(f.join_until(std::chrono::steady_clock::now() - 1h));
      CHECK_FALSE(f.join_until(std::chrono::system_clock::now()));
      CHECK(f.joinable());
      go = true;
      CHECK(f.join_for(1h));
      CHECK(f.join_for(0s));
      CHECK(f.join() == 3);
    };
    both();
    rt.spawn(both).join();
  });
}

TEST_CASE("deadlines beyond the clock's range mean for ever") {
  each_runtime([](weft::runtime& rt) {
    using std::chrono::steady_clock;
    using std::chrono::system_clock;
    const auto quick = [] { static_cast<void>(weft::this_fiber::sleep_for(1ms)); };
    const auto all = [&] {
      CHECK(rt.spawn(quick).join_for(std::chrono::hours::max()));
      CHECK(rt.spawn(quick).join_for(std::chrono::duration<double>(1e300)));
      CHECK(rt.spawn(quick).join_for(steady_clock::duration::max()));
      CHECK(rt.spawn(quick).join_until(steady_clock::time_point::max()));
      CHECK(rt.spawn(quick).join_until(
          std::chrono::time_point<steady_clock, std::chrono::hours>::max()));
      CHECK(rt.spawn(quick).join_until(system_clock::time_point::max()));
      CHECK(rt.spawn(quick).join_until(
          std::chrono::time_point<system_clock, std::chrono::hours>::max()));
    };
    all();
    rt.spawn(all).join();
  });
}

TEST_CASE("deadlines before the clock's range are over") {
  each_runtime([](weft::runtime& rt) {
    using std::chrono::steady_clock;
    using std::chrono::system_clock;
    std::atomic<bool> go{false};
    auto f = rt.spawn([&] { until([&] { return go.load(); }); });
    CHECK_FALSE(f.join_for(std::chrono::hours::min()));
    CHECK_FALSE(f.join_for(std::chrono::duration<double>(-1e300)));
    CHECK_FALSE(f.join_until(steady_clock::time_point::min()));
    CHECK_FALSE(f.join_until(std::chrono::time_point<steady_clock, std::chrono::hours>::min()));
    CHECK_FALSE(f.join_until(system_clock::time_point::min()));
    CHECK_FALSE(f.join_until(std::chrono::time_point<system_clock, std::chrono::hours>::min()));
    go = true;
    f.join();
  });
}

TEST_CASE("timed joins race with the end") {
  each_fiber([] {
    for (int i = 0; i < static_cast<int>(scaled(2000)); ++i) {
      auto f = weft::spawn([i] {
        static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(i % 100)));
        return i;
      });
      while (!f.join_for(std::chrono::microseconds(50))) {
      }
      REQUIRE(f.join() == i);
    }
  });
}

TEST_CASE("fibers of different runtimes join each other") {
  weft::options o;
  o.workers = 2;
  with_runtime(o, [](weft::runtime& other) {
    each_runtime([&](weft::runtime& rt) {
      std::vector<weft::fiber<int>> fs;
      for (int i = 0; i < 50; ++i)
        fs.push_back(rt.spawn([&other, i] {
          return other
              .spawn([i] {
                static_cast<void>(weft::this_fiber::sleep_for(100us));
                return i;
              })
              .join();
        }));
      int sum = 0;
      for (auto& f : fs) sum += f.join();
      CHECK(sum == 49 * 50 / 2);
    });
  });
}

TEST_CASE("handles outlive their runtime") {
  weft::fiber<int> value;
  weft::fiber<> failed;
  weft::fiber<int> dropped;
  {
    weft::runtime rt;
    value = rt.spawn([] { return 4; });
    failed = rt.spawn([] { throw std::runtime_error("kept"); });
    dropped = rt.spawn([] { return 5; });
    CHECK(rt.shutdown() == 0);
  }
  CHECK(value.join() == 4);
  CHECK_THROWS_WITH_AS(failed.join(), "kept", std::runtime_error);
}
