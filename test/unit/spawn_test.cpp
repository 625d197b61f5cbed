// SPDX-License-Identifier: BSL-1.0
// spawn: from where, with what, into which runtime.
#include <atomic>
#include <functional>
#include <memory>
#include <sstream>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/scope.hpp>

#include "support/runtimes.hpp"

using namespace weft::test;

TEST_CASE("a fiber returns a value to its joiner") {
  each_runtime([](weft::runtime& rt) {
    CHECK(rt.spawn([] { return 42; }).join() == 42);
    CHECK(rt.spawn([] { return std::string(1000, 'x'); }).join().size() == 1000);
    rt.spawn([] {}).join();
  });
}

TEST_CASE("arguments are copied or moved into the fiber, references by std::ref") {
  each_fiber([] {
    auto p = std::make_unique<int>(7);
    CHECK(weft::spawn([](std::unique_ptr<int> q) { return *q; }, std::move(p)).join() == 7);
    int seen = 0;
    weft::spawn([](int& out, int v) { out = v; }, std::ref(seen), 9).join();
    CHECK(seen == 9);
    const std::string text = "kept";
    CHECK(weft::spawn([](std::string s) { return s + "!"; }, text).join() == "kept!");
    CHECK(text == "kept");
  });
}

TEST_CASE("whatever std::invoke calls can be spawned") {
  struct counter {
    int value = 0;
    int add(int n) { return value += n; }
  };
  each_fiber([] {
    counter c;
    CHECK(weft::spawn(&counter::add, &c, 3).join() == 3);
  });
}

TEST_CASE("callables and results that do not fit into the record") {
  struct alignas(128) wide {
    char bytes[300] = {};
  };
  each_fiber([] {
    wide w;
    w.bytes[299] = 'z';
    const wide back = weft::spawn([w] {
                        CHECK(reinterpret_cast<std::uintptr_t>(&w) % alignof(wide) == 0);
                        return w;
                      }).join();
    CHECK(back.bytes[299] == 'z');
  });
}

TEST_CASE("a reference is returned as one") {
  each_fiber([] {
    int x = 1;
    int& y = weft::spawn([&x]() -> int& { return x; }).join();
    CHECK(&y == &x);
  });
}

TEST_CASE("move-only results, and a result nobody takes is destroyed") {
  each_runtime([](weft::runtime& rt) {
    CHECK(*rt.spawn([] { return std::make_unique<int>(3); }).join() == 3);
    auto watched = std::make_shared<int>(1);
    {
      auto dropped = rt.spawn([watched] { return watched; });
    }
    until([&] { return watched.use_count() == 1; });
  });
}

TEST_CASE("a dropped handle lets the fiber run on") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<int> ran{0};
    for (int i = 0; i < 100; ++i) static_cast<void>(rt.spawn([&] { ++ran; }));
    until([&] { return ran == 100; });
  });
}

TEST_CASE("the callable is destroyed on its fiber, before a join returns") {
  each_fiber([] {
    auto held = std::make_shared<int>(0);
    weft::spawn([held] {}).join();
    CHECK(held.use_count() == 1);
  });
}

TEST_CASE("a spawn from a fiber stays in its runtime, others are named") {
  weft::options o;
  o.workers = 1;
  o.name = "inner";
  with_runtime(o, [](weft::runtime& inner) {
    each_runtime([&](weft::runtime& outer) {
      outer
          .spawn([&] {
            CHECK(weft::spawn([] { return weft::spawn([] { return 1; }).join(); }).join() == 1);
            CHECK(inner.spawn([] { return weft::spawn([] { return 2; }).join(); }).join() == 2);
          })
          .join();
    });
  });
}

TEST_CASE("one worker serves in the order of spawning") {
  weft::options o;
  o.workers = 1;
  with_runtime(o, [](weft::runtime& rt) {
    std::vector<int> order;
    rt.spawn([&] {
        for (int i = 0; i < 1000; ++i) weft::spawn([&order, i] { order.push_back(i); }).detach();
        until([&] { return order.size() == 1000; });
      }).join();
    for (int i = 0; i < 1000; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
  });
}

TEST_CASE("a plain thread outside any runtime spawns into the default one") {
  CHECK(weft::spawn([] { return weft::this_fiber::is_fiber(); }).join());
  std::thread([] { CHECK(weft::spawn([] { return 5; }).join() == 5); }).join();
}

TEST_CASE("spawning into a stopped runtime says so") {
  weft::runtime rt;
  CHECK(rt.shutdown() == 0);
  try {
    rt.spawn([] {}).join();
    FAIL("no exception");
  } catch (const std::system_error& e) {
    CHECK(e.code() == std::errc::operation_not_permitted);
    CHECK(std::string(e.what()).find("spawn into a runtime that is shutting down or has ended") !=
          std::string::npos);
  }
  CHECK(rt.fibers() == 0);
}

TEST_CASE("a callable that takes a stop token gets the fiber's, before its arguments") {
  weft::run([] {
    auto f = weft::spawn(
        [](std::stop_token stop, int n) {
          static_cast<void>(weft::this_fiber::sleep_for(std::chrono::hours(1)));
          return stop.stop_requested() ? n : 0;
        },
        5);
    f.request_stop();
    CHECK(f.join() == 5);
    auto plain = weft::spawn([](const std::stop_token& stop) { return stop.stop_possible(); });
    CHECK(plain.join());
    weft::scope s;
    bool stopped = false;
    s.spawn([&](std::stop_token stop) {
      weft::this_fiber::sleep_for(std::chrono::hours(1));
      stopped = stop.stop_requested();
    });
    s.request_stop();
    s.join();
    CHECK(stopped);
  });
}

TEST_CASE("an id is written as its number") {
  std::ostringstream out;
  out << weft::fiber_id(42) << ' ' << weft::fiber_id();
  CHECK(out.str() == "42 0");
}
