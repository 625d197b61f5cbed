// SPDX-License-Identifier: BSL-1.0
// unit/classic_deadlock_test.cpp - what deadlocks a scheduler without retake: a thread's lock held
// across a park.
#include <mutex>
#include <vector>

#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("classic deadlock: a std::mutex held across a park, more contenders than workers") {
  weft::runtime rt(workers(2));
  std::mutex m;
  int count = 0;
  auto holder = rt.spawn([&] {
    const std::lock_guard guard(m);
    weft::this_fiber::sleep_for(20ms);  // parks with it, while everybody else blocks on it
    ++count;
  });
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 16; ++i)
    fibers.push_back(rt.spawn([&] {
      const std::lock_guard guard(m);
      ++count;
    }));
  // A parked fiber must unlock on the thread that locked in theory only: std::mutex does not look
  // who does.
  holder.join();
  for (auto& f : fibers) f.join();
  CHECK(count == 17);
}

namespace {
int slow_value(std::atomic<int>& made) {
  weft::this_fiber::sleep_for(20ms);
  return made.fetch_add(1, std::memory_order_relaxed) + 1;
}
int the_static(std::atomic<int>& made) {
  static const int value = slow_value(made);
  return value;
}
}  // namespace

TEST_CASE("classic deadlock: a function-local static initialised by a fiber that parks") {
  weft::runtime rt(workers(1));
  std::atomic<int> made{0};
  std::vector<weft::fiber<int>> fibers;
  for (int i = 0; i < 8; ++i) fibers.push_back(rt.spawn([&] { return the_static(made); }));
  for (auto& f : fibers) CHECK(f.join() == 1);
}

TEST_CASE("classic deadlock: a recursive lock, held across a park by a pinned fiber") {
  // std::recursive_mutex asks which thread it is: hence pinned. Two fibers of one thread are one
  // owner to it, which is what ThreadSanitizer, who tells them apart, complains of.
  // weft::recursive_mutex knows fibers.
#if WEFT_TSAN
  return;
#endif
  weft::runtime rt(workers(2));
  std::recursive_mutex m;
  int count = 0;
  weft::attributes pinned;
  pinned.pinned = true;
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 8; ++i)
    fibers.push_back(rt.spawn(pinned, [&] {
      const std::lock_guard outer(m);
      weft::this_fiber::sleep_for(2ms);
      const std::lock_guard inner(m);
      ++count;
    }));
  for (auto& f : fibers) f.join();
  CHECK(count == 8);
}
