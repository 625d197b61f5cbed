// SPDX-License-Identifier: BSL-1.0
// unit/out_of_memory_test.cpp - every public call with memory that runs out at its nth allocation,
// n = 1.. until it succeeds: it throws std::bad_alloc or std::system_error, or does what it says.
// Nothing is lost: what was spawned runs or fails its join, waits end, shutdown comes to its end.
#include "support/out_of_memory.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <new>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/in_child.hpp"

using namespace std::chrono_literals;
using namespace weft::test;

namespace {

// A child that must run, if it could be spawned and had a stack.
template <class Spawn>
void spawn_and_join(Spawn&& spawn) {
  auto child = spawn([] { return ++ran > 0; });
  ++spawned;
  try {
    EXPECT(child.join());
  } catch (...) {
    ++failed;
    throw;
  }
}

struct large {
  std::array<char, 300> bytes{};
  bool operator()() const { return ++ran > 0; }
};

}  // namespace

TEST_CASE("out of memory: a runtime is made, or is not") {
  // A child for each n: what is made at the first use is made once in a process.
  for (const failing how : {failing::once, failing::from_then_on}) {
    int end = 0;
    for (std::uint64_t n = 1; end == 0; ++n) {
      REQUIRE(n < most_allocations);
      const auto child = weft::test::in_child([&] {
        memory::fail_at(n, how);
        try {
          weft::runtime rt(one_worker());
          const bool reached = memory::recover();
          const bool works = rt.spawn([] { return 7; }).join() == 7;
          if (!works || rt.shutdown() != 0) return 2;
          return reached ? 0 : 1;
        } catch (const std::bad_alloc&) {
        } catch (const std::system_error&) {
        }
        memory::recover();
        weft::runtime later(one_worker());
        return later.spawn([] { return 7; }).join() == 7 ? 0 : 3;
      });
      CAPTURE(n);
      CAPTURE(child.errors);
      REQUIRE(child.signal == 0);
      end = child.exit_code;
    }
    CHECK(end == 1);
  }
}

TEST_CASE("out of memory: spawn and join") {
  in_a_fiber("spawn", [] { spawn_and_join([](auto f) { return weft::spawn(f); }); });
  in_a_fiber("spawn, a large callable", [] {
    auto child = weft::spawn(large());
    ++spawned;
    try {
      EXPECT(child.join());
    } catch (...) {
      ++failed;
      throw;
    }
  });
  in_a_fiber("spawn, a long name and another stack", [] {
    static const std::string name(100, 'n');
    spawn_and_join([](auto f) {
      weft::attributes a;
      a.name = name;
      a.stack_size = 1 << 20;
      return weft::spawn(a, f);
    });
  });
  in_a_fiber("a result on the heap", [] {
    auto child = weft::spawn([] { return ++ran, large(); });
    ++spawned;
    static_cast<void>(child.join());
  });
}

TEST_CASE("out of memory: more children than the deque has room for") {
  static std::vector<weft::fiber<bool>> children;
  children.reserve(700);
  in_a_fiber("a burst of spawns", [] {
    children.clear();
    const auto join_all = [] {
      for (auto& c : children) {
        try {
          EXPECT(c.join());
        } catch (...) {
          ++failed;
        }
      }
    };
    try {
      for (int i = 0; i < 700; ++i) {
        children.push_back(weft::spawn([] { return ++ran > 0; }));
        ++spawned;
      }
    } catch (...) {
      join_all();
      throw;
    }
    for (int i = 0; i < 3; ++i) weft::this_fiber::yield();
    join_all();
  });
}

TEST_CASE("out of memory: spawns from a thread, all of which run") {
  for (const failing how : {failing::once, failing::from_then_on}) {
    for (const std::uint64_t n : {1, 2, 3, 5, 8}) {
      spawned = ran = failed = 0;
      weft::runtime rt(one_worker());
      std::atomic<bool> go{false};
      auto busy = rt.spawn([&] {
        while (!go) std::this_thread::yield();
      });
      std::vector<weft::fiber<bool>> children;
      children.reserve(1000);
      for (int i = 0; i < 1000; ++i) {
        if (i % 50 == 20) memory::fail_at(n, how);
        try {
          children.push_back(rt.spawn([] { return ++ran > 0; }));
          ++spawned;
        } catch (const std::bad_alloc&) {
        } catch (const std::system_error&) {
        }
        if (i % 50 == 40) memory::recover();
      }
      memory::recover();
      go = true;
      busy.join();
      for (auto& c : children) CHECK(c.join());
      CHECK(rt.shutdown() == 0);
      CHECK(ran == spawned);
    }
  }
}

TEST_CASE("out of memory: scopes") {
  in_a_fiber("a scope", [] {
    weft::scope s;
    for (int i = 0; i < 5; ++i) {
      s.spawn([] { ++ran; });
      ++spawned;
    }
    s.join();
  });
  in_a_fiber("a scope with a limit", [] {
    weft::scope s(weft::scope_limit{2});
    for (int i = 0; i < 6; ++i) {
      s.spawn([] {
        ++ran;
        weft::this_fiber::yield();
      });
      ++spawned;
    }
    s.join();
  });
  in_a_fiber("a scope with a deadline", [] {
    weft::scope s(weft::scope_deadline{std::chrono::steady_clock::now() + 1h});
    s.spawn([] { ++ran; });
    ++spawned;
    s.join();
  });
  in_a_fiber("a scope that stops many", [] {
    std::atomic<int> stopped{0};
    int children = 0;
    {
      weft::scope s;
      try {
        for (; children < 150; ++children)
          s.spawn([&] {
            if (weft::this_fiber::sleep_for(1h) == weft::wait_result::stopped) ++stopped;
          });
        for (int i = 0; i < 3; ++i) weft::this_fiber::yield();
      } catch (...) {
        s.request_stop();
        s.join();
        EXPECT(stopped == children);
        throw;
      }
      s.request_stop();
      s.join();
    }
    EXPECT(stopped == children);
  });
}

TEST_CASE("out of memory: shutdown asks everybody to stop") {
  weft::runtime rt(one_worker());
  std::atomic<int> asleep{0}, stopped{0};
  std::vector<weft::fiber<>> sleepers;
  for (int i = 0; i < 500; ++i)
    sleepers.push_back(rt.spawn([&] {
      const std::stop_token token = weft::this_fiber::stop_token();
      ++asleep;
      if (weft::this_fiber::sleep_for(1h) == weft::wait_result::stopped && token.stop_requested())
        ++stopped;
    }));
  while (asleep < 500) std::this_thread::yield();
  memory::fail_at(1, failing::from_then_on);
  const std::size_t left = rt.shutdown();
  memory::recover();
  CHECK(left == 0);
  CHECK(stopped == 500);
}
