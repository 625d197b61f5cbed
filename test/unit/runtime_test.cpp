// SPDX-License-Identifier: BSL-1.0
// runtime and run: several, one after another, nested where it is refused.
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "os/os.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace app {
struct job {
  int operator()() const { return 1; }
};
// Names of weft's that a program may have, too, and templates that take everything.
template <class O, class F>
int run(O&&, F&&) {
  return 42;
}
struct clock : std::chrono::steady_clock {
  using time_point = std::chrono::time_point<clock>;
  static time_point now() {
    return time_point(std::chrono::steady_clock::now().time_since_epoch());
  }
};
template <class T>
int to_steady(const T&) {
  return 42;
}
template <class T>
int has_come(const T&) {
  return 42;
}
}  // namespace app

TEST_CASE("weft calls its own functions, whatever a program's are called") {
  CHECK(weft::run(app::job{}) == 1);
  weft::mutex m;
  const std::lock_guard guard(m);
  std::thread([&] { CHECK_FALSE(m.try_lock_until(app::clock::now() + 1ms)); }).join();
}

TEST_CASE("run returns what its first fiber returns, and throws what it throws") {
  int there = 0;
  CHECK(&weft::run([&there]() -> int& { return there; }) == &there);
  CHECK(weft::run([] { return 3; }) == 3);
  CHECK(weft::run([] {}) == 0);
  CHECK(*weft::run([] { return std::make_unique<int>(4); }) == 4);
  CHECK_THROWS_WITH_AS(weft::run([]() -> int { throw std::runtime_error("out"); }), "out",
                       std::runtime_error);
  weft::options o;
  o.workers = 2;
  CHECK(weft::run(o, [] { return weft::spawn([] { return 5; }).join(); }) == 5);
}

TEST_CASE("run inside a fiber is refused with the way out") {
  try {
    weft::run([] { return weft::run([] { return 1; }); });
    FAIL("no exception");
  } catch (const std::system_error& e) {
    CHECK(e.code() == std::errc::resource_deadlock_would_occur);
    CHECK(std::string(e.what()).find(
              "weft::run: called from a fiber; spawn into the runtime that is there") !=
          std::string::npos);
  }
}

TEST_CASE("a fiber may own another runtime") {
  each_fiber([] {
    weft::runtime inner;
    CHECK(inner.spawn([] { return 1; }).join() == 1);
    CHECK(inner.shutdown() == 0);
  });
}

TEST_CASE("zero workers means the CPUs this process may use") {
  weft::runtime rt;
  CHECK(rt.workers() == weft::os::usable_cpus());
  weft::options o;
  o.workers = 3;
  weft::runtime three(o);
  CHECK(three.workers() == 3);
}

TEST_CASE("several runtimes at the same time, fibers among them") {
  std::vector<std::unique_ptr<weft::runtime>> all;
  for (std::size_t i = 1; i <= 4; ++i) {
    weft::options o;
    o.workers = i;
    all.push_back(std::make_unique<weft::runtime>(o));
  }
  std::atomic<int> hops{0};
  struct hopper {
    static void go(std::vector<std::unique_ptr<weft::runtime>>& all, std::atomic<int>& hops,
                   std::size_t n) {
      ++hops;
      if (n > 0) all[n % all.size()]->spawn([&, n] { go(all, hops, n - 1); }).join();
    }
  };
  std::vector<weft::fiber<>> fs;
  for (int i = 0; i < 10; ++i) fs.push_back(all[0]->spawn([&] { hopper::go(all, hops, 40); }));
  for (auto& f : fs) f.join();
  CHECK(hops == 410);
  for (auto& rt : all) CHECK(rt->shutdown() == 0);
}

TEST_CASE("fibers() counts what is alive") {
  each_runtime([](weft::runtime& rt) {
    std::vector<weft::fiber<>> parked;
    for (int i = 0; i < 25; ++i) parked.push_back(rt.spawn(park_until_stopped));
    CHECK(rt.fibers() == 25);
    for (auto& f : parked) f.request_stop();
    for (auto& f : parked) f.join();
    until([&] { return rt.fibers() == 0; });
  });
}

TEST_CASE("a runtime works for threads that come and go") {
  each_runtime([](weft::runtime& rt) {
    for (int i = 0; i < 50; ++i) {
      int got = 0;
      std::thread([&] { got = rt.spawn([i] { return i; }).join(); }).join();
      CHECK(got == i);
    }
  });
}

namespace {
// Made before the thread's first use of weft, so it goes after what weft keeps for the thread.
struct last_words {
  weft::runtime* rt = nullptr;
  ~last_words() {
    if (rt == nullptr) return;
    rt->spawn([] { static_cast<void>(weft::this_fiber::sleep_for(200us)); }).join();
    static_cast<void>(weft::this_fiber::sleep_for(100us));
  }
};
thread_local last_words words;
}  // namespace

TEST_CASE("destructors of thread-locals may still wait") {
  each_runtime([](weft::runtime& rt) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        words.rt = &rt;
        rt.spawn([] { static_cast<void>(weft::this_fiber::sleep_for(100us)); }).join();
      });
    for (auto& t : threads) t.join();
    // Records of those threads that were given away twice would be shared by two of these.
    std::vector<weft::fiber<bool>> all;
    for (int i = 0; i < 500; ++i)
      all.push_back(rt.spawn([] {
        const auto mine = weft::this_fiber::get_id();
        static_cast<void>(weft::this_fiber::sleep_for(1ms));
        return mine == weft::this_fiber::get_id();
      }));
    for (auto& f : all) CHECK(f.join());
  });
}
