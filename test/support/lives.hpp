// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/lives.hpp - lives of a runtime in which everything happens at once: processors taken away
// and fibers preempted at random instants, memory that runs out, and a shutdown in the middle. One
// file of a test includes this: see failing_memory.hpp. WEFT_SOAK_SECONDS makes it a soak.
//
// A World is what the fibers of one life share:
//   explicit World(choices&)         on the test's thread
//   void step(choices&, int depth)   what a fiber does, again and again until its stop is
//                                    requested; if it throws bad_alloc or system_error, nothing
//   void before_shutdown()           on the test's thread
//   void settle()                    when all have ended: the books balance

#include "support/failing_memory.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <new>
#include <semaphore>
#include <system_error>
#include <thread>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/seed.hpp"
#include "support/storm.hpp"

namespace weft::test {

using count = std::atomic<std::uint64_t>;

inline void add(count& to, std::uint64_t n) noexcept { to.fetch_add(n, std::memory_order_relaxed); }

/// Does one thing after the other, until it is asked to stop.
template <class World>
void live(World& w, std::uint64_t stream, count& steps) {
  choices pick(stream);
  while (!weft::this_fiber::stop_requested()) {
    try {
      w.step(pick, 0);
    } catch (const std::bad_alloc&) {
    } catch (const std::system_error&) {
    }
    add(steps, 1);
  }
}

template <class World>
std::uint64_t one_life(std::size_t n, std::uint64_t stream) {
  choices pick(stream);
  World w(pick);
  count started{0}, ended{0}, steps{0};
  std::size_t left_behind = 0;
  {
    weft::options o;
    o.workers = n;
    o.on_deadlock = weft::deadlock_policy::ignore;
    // What needs that long hangs. Before, there is memory again, and a report of who waits.
    o.shutdown_timeout = std::chrono::seconds(60);
    std::binary_semaphore over{0};
    const std::jthread reporter([&over] {
      if (over.try_acquire_for(std::chrono::seconds(20))) return;
      memory::fail_one_in(0);
      std::fputs(weft::debug::dump_fibers().c_str(), stderr);
    });
    // there was no stack to start it on
    o.on_unhandled_exception = [&](const weft::unhandled_exception&) { add(ended, 1); };
    weft::runtime rt(o);
    // ThreadSanitizer defers signals until the next system call, so a preempted fiber stays.
    probe::storm(rt, (WEFT_TSAN != 0 ? 0 : probe::preempts) | probe::retake_all);
    if (pick.below(2) == 0) memory::fail_one_in(50 + pick.below(500));
    for (int i = 0; i < 12; ++i) {
      try {
        rt.spawn([&, s = pick.below(~0ULL)] {
            live(w, s, steps);
            add(ended, 1);
          }).detach();
        add(started, 1);
      } catch (const std::bad_alloc&) {
      } catch (const std::system_error&) {
      }
    }
    // The end comes at a random moment: there is no event to wait for.
    std::this_thread::sleep_for(std::chrono::milliseconds(1 + pick.below(30)));
    w.before_shutdown();
    left_behind = rt.shutdown();
    memory::fail_one_in(0);
    over.release();
  }
  CAPTURE(stream);
  CAPTURE(n);
  CHECK(left_behind == 0);
  CHECK(ended == started);
  w.settle();
  return steps;
}

template <class World>
void lives() {
  for (const std::size_t n : {1, 2, 8}) {
    std::uint64_t lived = 0, steps = 0;
    const auto end = std::chrono::steady_clock::now() + soak_time() / 2;
    do steps += one_life<World>(n, n * 1'000'000'000 + lived++);
    while (std::chrono::steady_clock::now() < end);
    std::printf("%zu workers: %llu lives, %llu steps\n", n, static_cast<unsigned long long>(lived),
                static_cast<unsigned long long>(steps));
  }
}

}  // namespace weft::test
