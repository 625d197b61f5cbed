// SPDX-License-Identifier: BSL-1.0
// unit/examples_fibers_test.cpp - the examples in the documentation of the headers of the core,
// word for word, with the little they need around them. test/house/examples.py compares the two.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <string>
#include <vector>

#include <weft/weft.hpp>

using namespace std::chrono_literals;

TEST_CASE("example: fiber") {
  weft::run([] {
    std::vector<int> numbers{1, 2, 3, 4};

    auto sum = weft::spawn([&] { return std::accumulate(numbers.begin(), numbers.end(), 0); });
    auto least = weft::spawn([](int a, int b) { return a < b ? a : b; }, 7, 3);
    const int both = sum.join() + least.join();

    CHECK(both == 13);
  });
}

namespace {
thread_local int counted_here = 0;
}

TEST_CASE("example: own_thread") {
  weft::run([] {
    auto handshake = weft::spawn({.own_thread = true}, [&] {
      counted_here = 1;                  // a thread_local, as a library may have
      weft::this_fiber::sleep_for(1ms);  // others run, elsewhere
      return counted_here;               // the same one, and nobody has touched it
    });
    CHECK(handshake.join() == 1);
  });
}

TEST_CASE("example: this_fiber") {
  weft::run([] {
    std::atomic<int> rounds{0};

    auto beat = weft::spawn([&] {
      while (weft::this_fiber::sleep_for(1ms) != weft::wait_result::stopped) ++rounds;
    });
    while (rounds < 3) weft::this_fiber::sleep_for(1ms);
    beat.request_stop();
    beat.join();

    CHECK(rounds >= 3);
  });
}

TEST_CASE("example: scope") {
  weft::run([] {
    const std::vector<std::string> names{"a", "bb", "ccc"};
    std::atomic<std::size_t> bytes{0};

    {
      weft::scope work(weft::scope_limit{64});
      for (const auto& name : names) work.spawn([&] { bytes += name.size(); });
    }  // all have ended; the first failure is thrown here

    CHECK(bytes == 6);
  });
}

TEST_CASE("example: scope try_spawn") {
  weft::run([] {
    const std::vector<int> numbers{1, 2, 3, 4, 5, 6, 7, 8};
    std::atomic<int> sum{0};
    {
      weft::scope helpers(weft::scope_limit{2});
      for (const int n : numbers) {
        if (!helpers.try_spawn([&sum, n] { sum += n; })) sum += n;  // nobody is free: do it here
      }
    }
    CHECK(sum == 36);
  });
}

TEST_CASE("example: scope_deadline") {
  weft::run([] {
    weft::wait_result end{};
    const auto ask = [&] { end = weft::this_fiber::sleep_for(1h); };

    {
      weft::scope work(weft::scope_deadline{std::chrono::steady_clock::now() + 20ms});
      work.spawn(ask);
    }  // whatever it waited in was ended then

    CHECK(end == weft::wait_result::stopped);
  });
}

namespace {
struct connection {
  int queries = 0;
};

weft::fiber_local<connection> database;  // at namespace scope
}  // namespace

TEST_CASE("example: fiber_local") {
  weft::run([] {
    int mine = 0;

    auto f = weft::spawn([] { return ++database->queries; });
    mine = f.join();

    CHECK(mine == 1);
    CHECK(database->queries == 0);
  });
}

TEST_CASE("example: no_preempt") {
  weft::run([] {
    int steps = 0;
    const auto write_registers = [&] { ++steps; };

    {
      const weft::no_preempt together;
      write_registers();
    }

    CHECK(steps == 1);
  });
}

TEST_CASE("example: offload") {
  weft::run([] {
    const auto read_all = [](const std::string& path) { return path.size(); };
    const std::string path = "config";

    // a pool's thread reads, this fiber waits
    const auto text = weft::offload([&] { return read_all(path); });

    CHECK(text == 6);
  });
}

TEST_CASE("example: block_in_place") {
  weft::run([] {
    int polls = 0;
    const auto wait_for_device = [&] { ++polls; };

    // on this thread; its processor goes on elsewhere
    weft::block_in_place([&] { wait_for_device(); });

    CHECK(polls == 1);
  });
}
