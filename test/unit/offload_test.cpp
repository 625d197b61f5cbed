// SPDX-License-Identifier: BSL-1.0
// weft::offload: values, exceptions, the line, its ends, its threads.
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/net.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("example: a call that blocks, on a thread of the pool") {
  weft::run([] {
    const auto here = std::this_thread::get_id();
    const std::string text = weft::offload([&] {
      CHECK(std::this_thread::get_id() != here);
      CHECK_FALSE(weft::this_fiber::is_fiber());
      return std::string("read from a slow disk");
    });
    CHECK(text == "read from a slow disk");
  });
}

TEST_CASE(
    "what comes back: nothing, move-only, references, exceptions; arguments are passed as they "
    "are") {
  at_worker_counts([] {
    int n = 0;
    weft::offload([&] { ++n; });
    CHECK(n == 1);
    weft::offload([](int& x, int by) { x += by; }, n, 2);
    CHECK(n == 3);
    CHECK(*weft::offload([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(7)) == 7);
    int& same = weft::offload([&]() -> int& { return n; });
    CHECK(&same == &n);
    CHECK_THROWS_AS(weft::offload([]() -> int { throw std::runtime_error("no"); }),
                    std::runtime_error);
  });
}

TEST_CASE("from a plain thread") {
  CHECK(weft::offload([](int x) { return x + 1; }, 41) == 42);
}

TEST_CASE(
    "nested: the plain call, on the thread of the pool it is on, also if that has no second one") {
  weft::options o = workers(1);
  o.offload_threads = 1;
  weft::runtime rt(o);
  weft::runtime other(o);
  const auto nested = [] {
    const auto here = std::this_thread::get_id();
    weft::offload([&] { CHECK(std::this_thread::get_id() == here); });
    weft::offload_for(1h, [&] { CHECK(std::this_thread::get_id() == here); });
    CHECK(thrown_by([] {
            weft::offload(
                [] { throw std::system_error(std::make_error_code(std::errc::io_error)); });
          }) == std::errc::io_error);
    std::stop_source stop;
    stop.request_stop();
    CHECK(thrown_by([&] { weft::offload(stop.get_token(), [] {}); }) ==
          std::errc::operation_canceled);
    return weft::offload([] { return weft::offload([] { return 7; }); });
  };
  std::vector<weft::fiber<int>> all;
  for (int i = 0; i < 8; ++i)
    all.push_back((i % 2 == 0 ? rt : other).spawn([&] { return weft::offload(nested); }));
  for (auto& f : all) CHECK(f.join() == 7);
  CHECK(rt.offloads().threads == 1);
  CHECK(rt.offloads().completed == 4);  // not those within
}

TEST_CASE("beyond offload_threads calls wait in line, and are served in order") {
  weft::options o = workers(2);
  o.offload_threads = 1;
  weft::runtime rt(o);
  latch_pipe pipe;
  std::vector<int> order;  // the one thread writes
  auto first = rt.spawn([&] { weft::offload([&] { pipe.wait(); }); });
  while (rt.offloads().running != 1) std::this_thread::yield();
  std::vector<weft::fiber<void>> fibers;
  for (std::size_t i = 0; i < 8; ++i) {
    fibers.push_back(
        rt.spawn([&order, i] { weft::offload([&] { order.push_back(static_cast<int>(i)); }); }));
    while (rt.offloads().queued != i + 1) std::this_thread::yield();
  }
  pipe.open();
  first.join();
  for (auto& f : fibers) f.join();
  CHECK(order == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(rt.offloads().threads == 1);
  CHECK(rt.offloads().completed == 9);
}

TEST_CASE("in line: a deadline and a stop request end the wait; running: they do not") {
  weft::options o = workers(1);
  o.offload_threads = 1;
  weft::runtime rt(o);
  latch_pipe pipe;
  auto first = rt.spawn([&] { return weft::offload_for(1min, [&] { return pipe.wait(); }); });
  while (rt.offloads().running != 1) std::this_thread::yield();
  bool called = false;
  std::stop_source stop;
  auto late =
      rt.spawn([&] { return thrown_by([&] { weft::offload_for(5ms, [&] { called = true; }); }); });
  auto stopped = rt.spawn(
      [&] { return thrown_by([&] { weft::offload(stop.get_token(), [&] { called = true; }); }); });
  CHECK(late.join() == std::errc::timed_out);
  auto both = rt.spawn([&] {
    return thrown_by([&] { weft::offload_for(stop.get_token(), 5ms, [&] { called = true; }); });
  });
  CHECK(both.join() == std::errc::timed_out);
  both = rt.spawn([&] {
    return thrown_by([&] {
      const auto never = std::chrono::system_clock::time_point::max();
      weft::offload_until(stop.get_token(), never, [&] { called = true; });
    });
  });
  while (rt.offloads().queued != 2) std::this_thread::yield();
  stop.request_stop();
  CHECK(stopped.join() == std::errc::operation_canceled);
  CHECK(both.join() == std::errc::operation_canceled);
  CHECK(rt.offloads().queued == 0);
  pipe.open();
  CHECK(first.join() == 1);
  CHECK_FALSE(called);
  auto already = rt.spawn(
      [&] { return thrown_by([&] { weft::offload(stop.get_token(), [&] { called = true; }); }); });
  CHECK(already.join() == std::errc::operation_canceled);
  CHECK_FALSE(called);
}

TEST_CASE("64 calls of 10 ms take 64 threads, not 640 ms") {
  weft::runtime rt(workers(2));
  latch_pipe pipe;
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 64; ++i)
    fibers.push_back(rt.spawn([&] { weft::offload([&] { pipe.wait(); }); }));
  while (rt.offloads().running != 64) std::this_thread::yield();  // all at the same time
  pipe.open(64);
  for (auto& f : fibers) f.join();
  CHECK(rt.offloads().threads == 64);
}

TEST_CASE("kill point: no thread can be made: with none the call fails, with some it waits") {
  weft::runtime rt(workers(1));
  weft::os::test_hooks.thread_error.store(EAGAIN, std::memory_order_relaxed);
  auto alone = rt.spawn([] { return thrown_by([] { weft::offload([] {}); }); });
  CHECK(alone.join() == std::errc::resource_unavailable_try_again);
  weft::os::test_hooks.thread_error.store(0, std::memory_order_relaxed);
  latch_pipe pipe;
  auto first = rt.spawn([&] { weft::offload([&] { pipe.wait(); }); });
  while (rt.offloads().running != 1) std::this_thread::yield();
  weft::os::test_hooks.thread_error.store(EAGAIN, std::memory_order_relaxed);
  auto second = rt.spawn([] { return weft::offload([] { return 2; }); });
  while (rt.offloads().queued != 1) std::this_thread::yield();
  pipe.open();
  first.join();
  CHECK(second.join() == 2);
  weft::os::test_hooks.thread_error.store(0, std::memory_order_relaxed);
}

// A call that finds the pool's only thread about to be made goes into the line; then none is made.
TEST_CASE("kill point: no thread can be made, for many at once: each is told") {
  constexpr int callers = 4, rounds = 5'000;
  weft::options o = workers(callers);
  o.offload_threads = 1;
  weft::runtime rt(o);
  weft::os::test_hooks.thread_error.store(EAGAIN, std::memory_order_relaxed);
  std::atomic<int> here{0};
  std::vector<weft::fiber<int>> fibers;
  for (int i = 0; i < callers; ++i)
    fibers.push_back(rt.spawn([&] {
      here.fetch_add(1, std::memory_order_relaxed);
      while (here.load(std::memory_order_relaxed) < callers) weft::this_fiber::yield();
      int told = 0;
      for (int k = 0; k < rounds; ++k)
        told +=
            thrown_by([] { weft::offload([] {}); }) == std::errc::resource_unavailable_try_again;
      return told;
    }));
  for (auto& f : fibers) CHECK(f.join() == rounds);
  weft::os::test_hooks.thread_error.store(0, std::memory_order_relaxed);
}

TEST_CASE(
    "stampede: many fibers, few threads, deadlines and stops at random; every call runs once or "
    "not at all") {
  for (const std::size_t n : {1, 2, 8}) {
    weft::options o = workers(n);
    o.offload_threads = 3;
    weft::runtime rt(o);
    std::atomic<int> ran{0};
    std::vector<weft::fiber<int>> fibers;
    for (int i = 0; i < 200; ++i)
      fibers.push_back(rt.spawn([&, i] {
        int mine = 0;
        for (int k = 0; k < 20; ++k) {
          const auto ec = thrown_by([&] {
            weft::offload_for(std::chrono::microseconds((i * 37 + k * 101) % 2000),
                              [&] { ran.fetch_add(1, std::memory_order_relaxed); });
          });
          if (!ec) ++mine;
        }
        return mine;
      }));
    int counted = 0;
    for (auto& f : fibers) counted += f.join();
    CHECK(counted == ran.load(std::memory_order_relaxed));
    CHECK(rt.offloads().queued == 0);
  }
}
