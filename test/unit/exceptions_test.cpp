// SPDX-License-Identifier: BSL-1.0
// Exceptions thrown through everything: callables, their moves, results, destructors during
// unwinding, and the state of the C++ runtime while fibers switch in between.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unwind.h>

#include <doctest/doctest.h>

#include <weft/event.hpp>
#include <weft/scope.hpp>

#include "support/in_child.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

std::atomic<int> alive{0};

// Throws when it has been moved `moves` times; counts its objects.
struct fragile {
  explicit fragile(int moves) : left(moves) { ++alive; }
  fragile(const fragile& o) : left(o.left) { ++alive; }
  fragile(fragile&& o) : left(o.left - 1) {  // NOLINT: may throw, that is the point
    if (left < 0) throw std::runtime_error("moved too often");
    ++alive;
  }
  ~fragile() { --alive; }
  int operator()() const { return 1; }
  int left;
};

struct fragile_wide : fragile {
  using fragile::fragile;
  char more[200] = {};
};

}  // namespace

TEST_CASE_TEMPLATE("a callable whose move throws, wherever that is", F, fragile, fragile_wide) {
  each_runtime([](weft::runtime& rt) {
    int failed = 0, ran = 0;
    for (int moves = 0; moves < 8; ++moves) {
      F callable(moves);
      try {
        ran += rt.spawn(std::move(callable)).join();
      } catch (const std::runtime_error& e) {
        CHECK(std::string(e.what()) == "moved too often");
        ++failed;
      }
      int (*const by_argument)(F) = [](F f) { return f(); };
      F argument(moves);
      try {
        ran += rt.spawn(by_argument, std::move(argument)).join();
      } catch (const std::runtime_error&) {
        ++failed;
      }
    }
    CHECK(failed > 0);
    CHECK(ran > 0);
    CHECK(failed + ran == 16);
  });
  CHECK(alive == 0);
}

TEST_CASE("a result whose move throws reaches the joiner") {
  each_runtime([](weft::runtime& rt) {
    for (int moves = 0; moves < 4; ++moves) {
      try {
        auto f = rt.spawn([moves] { return fragile(moves); });
        static_cast<void>(f.join());
      } catch (const std::runtime_error& e) {
        CHECK(std::string(e.what()) == "moved too often");
      }
    }
  });
  CHECK(alive == 0);
}

TEST_CASE("anything may be thrown") {
  each_fiber([] {
    CHECK_THROWS_AS(weft::spawn([] { throw 5; }).join(), int);
    CHECK_THROWS_AS(weft::spawn([] { throw std::make_unique<int>(1); }).join(),
                    std::unique_ptr<int>);
    CHECK_THROWS_AS(weft::spawn([] { throw fragile(100); }).join(), fragile);
  });
  CHECK(alive == 0);
}

TEST_CASE("exceptions cross fibers joined within each other") {
  each_fiber([] {
    struct nest {
      static int at(int depth) {
        if (depth == 0) throw std::runtime_error("bottom");
        try {
          return weft::spawn([depth] { return at(depth - 1); }).join();
        } catch (const std::runtime_error& e) {
          throw std::runtime_error(std::string(e.what()) + "+");
        }
      }
    };
    CHECK_THROWS_WITH(nest::at(10), "bottom++++++++++");
  });
}

TEST_CASE("a fiber may park inside a catch block and rethrow on whatever thread it is then") {
  each_runtime([](weft::runtime& rt) {
    std::vector<weft::fiber<int>> all;
    for (int i = 0; i < 100; ++i)
      all.push_back(rt.spawn([i] {
        try {
          try {
            throw i;
          } catch (int) {
            for (int k = 0; k < 10; ++k) {
              static_cast<void>(
                  weft::this_fiber::sleep_for(std::chrono::microseconds(10 * (i % 7))));
              weft::this_fiber::yield();
            }
            throw;
          }
        } catch (int got) {
          return got;
        }
        return -1;
      }));
    for (int i = 0; i < 100; ++i) REQUIRE(all[static_cast<std::size_t>(i)].join() == i);
  });
}

TEST_CASE("destructors that run while unwinding may spawn, join, sleep and yield") {
  struct busy {
    std::atomic<int>& seen;
    ~busy() {
      const int here = std::uncaught_exceptions();
      if (weft::spawn([] { return std::uncaught_exceptions(); }).join() != 0) return;
      static_cast<void>(weft::this_fiber::sleep_for(50us));
      weft::this_fiber::yield();
      try {
        weft::spawn([] { throw 1; }).join();
      } catch (int) {
        if (std::uncaught_exceptions() == here && here == 1) ++seen;
      }
    }
  };
  each_runtime([](weft::runtime& rt) {
    std::atomic<int> seen{0};
    std::vector<weft::fiber<>> all;
    for (int i = 0; i < 50; ++i)
      all.push_back(rt.spawn([&seen] {
        const busy b{seen};
        throw std::runtime_error("through");
      }));
    for (auto& f : all) CHECK_THROWS_WITH(f.join(), "through");
    CHECK(seen == 50);
  });
}

TEST_CASE("std::current_exception is the fiber's own") {
  each_fiber([] {
    try {
      throw 1;
    } catch (int) {
      CHECK(weft::spawn([] { return std::current_exception() == nullptr; }).join());
      auto parked = weft::spawn([] {
        try {
          throw 2.0;
        } catch (double) {
          static_cast<void>(weft::this_fiber::sleep_for(100us));
          return std::current_exception() != nullptr;
        }
      });
      static_cast<void>(weft::this_fiber::sleep_for(50us));
      CHECK_THROWS_AS(std::rethrow_exception(std::current_exception()), int);
      CHECK(parked.join());
    }
    CHECK(std::current_exception() == nullptr);
  });
}

TEST_CASE("an exception nobody can observe goes to the handler") {
  for (const std::size_t workers : worker_counts) {
    std::atomic<int> told{0};
    weft::options o;
    o.workers = workers;
    o.on_unhandled_exception = [&](const weft::unhandled_exception& what) {
      if (what.fiber_id != 0 && what.fiber_name == "lost") try {
          std::rethrow_exception(what.exception);
        } catch (const std::runtime_error& e) {
          if (std::string(e.what()) == "unseen") ++told;
        }
    };
    with_runtime(o, [&](weft::runtime& rt) {
      weft::attributes a;
      a.name = "lost";
      const auto fails = [] { throw std::runtime_error("unseen"); };
      rt.spawn(a, fails).detach();  // before, during or after the end
      until([&] { return told == 1; });
      auto late = rt.spawn(a, fails);
      until([&] { return late.join_for(0s); });
      late.detach();
      CHECK(told == 2);
      for (int i = 0; i < 100; ++i) static_cast<void>(rt.spawn(a, fails));
      until([&] { return told == 102; });
    });
  }
}

TEST_CASE("by default it names the fiber and terminates") {
  const child_end end = in_child([] {
    weft::runtime rt;
    weft::attributes a;
    a.name = "forgotten";
    rt.spawn(a, [] { throw std::runtime_error("nobody looks"); }).detach();
    for (;;) std::this_thread::sleep_for(1s);
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.errors.find("\"forgotten\" ended with an exception that nobody can observe") !=
        std::string::npos);
  CHECK(end.errors.find("destroyed: std::runtime_error: nobody looks") != std::string::npos);
  CHECK(end.errors.find("options::on_unhandled_exception") != std::string::npos);
}

namespace {
struct no_standard_one {};
}  // namespace

TEST_CASE("the type is named, of whatever is thrown") {
  const child_end end = in_child([] {
    weft::runtime rt;
    rt.spawn([] { throw no_standard_one(); }).detach();
    for (;;) std::this_thread::sleep_for(1s);
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.errors.find("::no_standard_one (not a std::exception)") != std::string::npos);
}

namespace {
// Each with an object to unwind: a process that ends after that shows nothing of them.
struct unwound {
  ~unwound() { asm volatile(""); }
};
[[gnu::noinline]] void throws_for_all_to_see() {
  const unwound here;
  throw std::runtime_error("origin");
}
[[gnu::noinline]] void leads_to_the_throw() {
  const unwound here;
  throws_for_all_to_see();
  asm volatile("");
}

// Is that function among the calls of whoever asks?
bool is_called_by(void (*function)()) {
  struct search {
    void* function;
    bool found;
  } s{reinterpret_cast<void*>(function), false};
  _Unwind_Backtrace(
      [](_Unwind_Context* at, void* to) {
        auto& look = *static_cast<search*>(to);
        void* const ip = reinterpret_cast<void*>(_Unwind_GetIP(at) - 1);
        look.found |= _Unwind_FindEnclosingFunction(ip) == look.function;
        return _URC_NO_REASON;
      },
      &s);
  return s.found;
}
}  // namespace

TEST_CASE("a detached fiber's exception ends the process where it is thrown, and shows the calls") {
  const child_end end = in_child([] {
    std::set_terminate([] {
      std::fprintf(stderr, "on the stack: %d\n", is_called_by(&throws_for_all_to_see));
      std::abort();
    });
    weft::options o;
    o.dump_on_crash = false;
    weft::runtime rt(o);
    rt.spawn([] {
        weft::event detached;  // before it throws: another worker may run it at once
        weft::spawn(weft::attributes{.name = "origin"}, [&] {
          detached.wait();
          leads_to_the_throw();
        }).detach();
        detached.set();
        weft::this_fiber::sleep_for(1h);
      }).join();
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("on the stack: 1") != std::string::npos, end.errors);
  CHECK(end.errors.find("std::runtime_error: origin\nweft: it was thrown by\n") !=
        std::string::npos);
  const auto thrower = end.errors.find("throws_for_all_to_see");
  const auto caller = end.errors.find("leads_to_the_throw");
  CHECK(thrower < caller);
  CHECK(caller != std::string::npos);
}

TEST_CASE("a handler of the application's is told the calls, also of a fiber dropped later") {
  for (const bool later : {false, true}) {
    CAPTURE(later);
    std::atomic<bool> told{false};
    weft::options o;
    o.on_unhandled_exception = [&](const weft::unhandled_exception& what) {
      CHECK_MESSAGE(what.stack().find("throws_for_all_to_see") != std::string::npos, what.stack());
      CHECK(!what.calls.empty());
      told = true;
    };
    with_runtime(o, [&](weft::runtime& rt) {
      auto f = rt.spawn(&leads_to_the_throw);
      if (later) until([&] { return f.join_for(0s); });
      f.detach();
      until([&] { return told.load(); });
    });
  }
}

TEST_CASE("whoever joins gets the exception as ever, inlined or not, nested or not") {
  each_fiber([] {
    CHECK_THROWS_WITH(weft::spawn(&leads_to_the_throw).join(), "origin");
    auto started = weft::spawn([] {
      weft::this_fiber::yield();
      CHECK_THROWS_WITH(weft::spawn(&leads_to_the_throw).join(), "origin");
      throw 7;
    });
    weft::this_fiber::yield();
    CHECK_THROWS_AS(started.join(), int);
    weft::scope s;
    s.spawn(&leads_to_the_throw);
    CHECK_THROWS_WITH(s.join(), "origin");
  });
}

TEST_CASE("a failed fiber dropped after its runtime is reported, too") {
  const child_end end = in_child([] {
    weft::fiber<> failed;
    {
      weft::runtime rt;
      failed = rt.spawn([] { throw std::runtime_error("late"); });
      rt.shutdown();
    }
    failed.detach();
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.errors.find("late") != std::string::npos);
}
