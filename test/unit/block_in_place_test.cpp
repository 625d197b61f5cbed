// SPDX-License-Identifier: BSL-1.0
// weft::block_in_place: the thread stays, the processor goes.
#include <cerrno>
#include <thread>
#include <vector>

#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("example: the thread stays, the others run") {
  weft::options o = workers(1);
  o.retake = false;  // so it is not the monitor's doing
  weft::runtime rt(o);
  latch_pipe pipe;
  auto blocked = rt.spawn([&] {
    const auto here = std::this_thread::get_id();
    return weft::block_in_place([&] {
      CHECK(std::this_thread::get_id() == here);
      return pipe.wait();
    });
  });
  auto other = rt.spawn([&] { pipe.open(); });
  other.join();
  CHECK(blocked.join() == 1);
}

TEST_CASE("it comes back while all processors are busy, again and again") {
  for (const std::size_t n : {1, 2, 8}) {
    weft::runtime rt(workers(n));
    std::atomic<int> calls{0};
    std::vector<weft::fiber<void>> fibers;
    for (int i = 0; i < 16; ++i)
      fibers.push_back(rt.spawn([&] {
        for (int k = 0; k < 50; ++k) {
          weft::block_in_place([&] { calls.fetch_add(1, std::memory_order_relaxed); });
          weft::this_fiber::yield();
        }
      }));
    for (auto& f : fibers) f.join();
    CHECK(calls.load(std::memory_order_relaxed) == 16 * 50);
  }
}

TEST_CASE("exceptions and values pass; on a plain thread it is a plain call; inside itself, too") {
  CHECK(weft::block_in_place([](int x) { return x * 2; }, 21) == 42);
  weft::run([] {
    CHECK_THROWS_AS(weft::block_in_place([] { throw std::runtime_error("no"); }),
                    std::runtime_error);
    CHECK(weft::block_in_place([] { return weft::block_in_place([] { return 5; }); }) == 5);
    auto child = weft::block_in_place([] { return weft::spawn([] { return 6; }); });
    CHECK(child.join() == 6);
  });
}

TEST_CASE("a pinned fiber comes back to its own thread") {
  weft::runtime rt(workers(2));
  weft::attributes pinned;
  pinned.pinned = true;
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 4; ++i)
    fibers.push_back(rt.spawn(pinned, [] {
      const auto here = std::this_thread::get_id();
      for (int k = 0; k < 50; ++k) {
        weft::block_in_place([] {});
        weft::this_fiber::yield();
        CHECK(std::this_thread::get_id() == here);
      }
    }));
  for (auto& f : fibers) f.join();
}

TEST_CASE("kill point: no thread to hand over to: it keeps the processor, and the call is made") {
  weft::runtime rt(workers(1));
  weft::os::test_hooks.thread_error.store(EAGAIN, std::memory_order_relaxed);
  CHECK(rt.spawn([] { return weft::block_in_place([] { return 3; }); }).join() == 3);
  weft::os::test_hooks.thread_error.store(0, std::memory_order_relaxed);
  CHECK(rt.spawn([] { return weft::block_in_place([] { return 4; }); }).join() == 4);
}
