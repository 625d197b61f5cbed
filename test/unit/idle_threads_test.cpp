// SPDX-License-Identifier: BSL-1.0
// Threads that a burst of blocking calls has made end when they have been idle for long; others
// take their places.
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include "support/emulator.hpp"
#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

std::size_t threads_of_process() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task"))
    ++n;
  return n;
}

// ThreadSanitizer starts a thread of its own with the first that the program makes; qemu has one.
std::size_t threads_before() {
  static std::once_flag made;
  std::call_once(made, [] {
    std::thread([] {}).join();
    until([] { return threads_of_process() == (WEFT_TSAN != 0 || under_qemu() ? 2 : 1); });
  });
  return threads_of_process();
}

// How many threads there are while all of the calls block, each on a thread of its own.
std::size_t burst(weft::runtime& rt, int calls) {
  latch_pipe pipe;
  std::atomic<int> inside{0};
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < calls; ++i)
    fibers.push_back(rt.spawn([&] {
      inside.fetch_add(1, std::memory_order_relaxed);
      CHECK(pipe.wait() == 1);
    }));
  until([&] { return inside.load(std::memory_order_relaxed) == calls; });
  const std::size_t threads = probe::threads(rt);
  pipe.open(calls);
  for (auto& f : fibers) f.join();
  return threads;
}

void offload_burst(weft::runtime& rt, int calls) {
  latch_pipe pipe;
  std::atomic<int> inside{0};
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < calls; ++i)
    fibers.push_back(rt.spawn([&] {
      weft::offload([&] {
        inside.fetch_add(1, std::memory_order_relaxed);
        CHECK(pipe.wait() == 1);
      });
    }));
  until([&] { return inside.load(std::memory_order_relaxed) == calls; });
  pipe.open(calls);
  for (auto& f : fibers) f.join();
}

}  // namespace

TEST_CASE("the threads of a burst of blocking calls end, and the next burst takes their places") {
  for (const std::size_t n : {1, 2}) {
    const std::size_t before = threads_before();
    weft::runtime rt(workers(n));
    probe::end_idle_threads_after(rt, 20ms);
    std::size_t places = 0;
    for (int round = 0; round < 3; ++round) {
      const std::size_t threads = burst(rt, 60);
      CHECK(threads >= 60);
      if (round == 0) places = threads;
      CHECK(threads <= places + 2 * n + 2);  // not new ones beside those that are vacant
      // As many as there are processors, as many again for the next blocks, one in the poller;
      // monitor and service thread; one that is not joined yet may be on its way out.
      until([&] { return threads_of_process() <= before + 2 * n + 4; });
    }
    CHECK(rt.shutdown() == 0);
    until([&] { return threads_of_process() == before; });
  }
}

TEST_CASE("the threads of offloaded calls end, too") {
  const std::size_t before = threads_before();
  weft::runtime rt(workers(2));
  probe::end_idle_threads_after(rt, 20ms);
  for (int round = 0; round < 3; ++round) {
    offload_burst(rt, 30);
    until([&] { return threads_of_process() <= before + 8; });
  }
}

TEST_CASE("bursts and ends at once") {
  weft::runtime rt(workers(2));
  probe::end_idle_threads_after(rt, 1ms);
  for (int round = 0; round < 20; ++round) {
    burst(rt, 12);
    offload_burst(rt, 4);
  }
}

TEST_CASE("a thread that a living fiber is bound to stays") {
  weft::runtime rt(workers(2));
  probe::end_idle_threads_after(rt, 5ms);
  std::vector<weft::fiber<void>> bound;
  std::atomic<bool> go{false};
  std::atomic<int> begun{0};
  latch_pipe pipe;
  weft::attributes a;
  a.pinned = true;
  for (int i = 0; i < 20; ++i)
    bound.push_back(rt.spawn(a, [&] {
      const pid_t here = weft::os::thread_id();
      begun.fetch_add(1, std::memory_order_relaxed);
      CHECK(pipe.wait() == 1);  // so the others begin on threads of their own
      until([&] { return go.load(std::memory_order_relaxed); });
      CHECK(weft::os::thread_id() == here);
    }));
  until([&] { return begun.load(std::memory_order_relaxed) == 20; });
  pipe.open(20);
  burst(rt, 30);
  until([&] { return probe::threads_running(rt) < 30; });
  go.store(true, std::memory_order_relaxed);
  for (auto& f : bound) f.join();
}
