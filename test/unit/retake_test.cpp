// SPDX-License-Identifier: BSL-1.0
// Blocked in the kernel, undeclared: the others go on, and the call notices nothing.
#include <cerrno>
#include <mutex>
#include <thread>
#include <vector>

#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("a fiber in read(2) on the only worker does not hold up the one that ends its wait") {
  weft::runtime rt(workers(1));
  latch_pipe pipe;
  ssize_t got = 0;
  auto blocked = rt.spawn([&] { got = pipe.wait(); });
  auto other = rt.spawn([&] { pipe.open(); });
  other.join();
  blocked.join();
  CHECK(got == 1);  // not -1 with EINTR: no signal is involved
  CHECK(probe::retakes(rt) >= 1);
}

TEST_CASE("twenty blocked at once on one worker: each gets a thread, all go on") {
  weft::runtime rt(workers(1));
  latch_pipe pipe;
  std::atomic<int> inside{0}, done{0};
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 20; ++i)
    fibers.push_back(rt.spawn([&] {
      inside.fetch_add(1, std::memory_order_relaxed);
      CHECK(pipe.wait() == 1);
      weft::this_fiber::yield();  // comes back without a processor, and gets one
      done.fetch_add(1, std::memory_order_relaxed);
    }));
  auto opener = rt.spawn([&] {
    while (inside.load(std::memory_order_relaxed) < 20) weft::this_fiber::sleep_for(1ms);
    pipe.open(20);
  });
  for (auto& f : fibers) f.join();
  opener.join();
  CHECK(done.load(std::memory_order_relaxed) == 20);
}

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
  // A parked fiber must unlock on the thread that locked in theory only: std::mutex does not look who does.
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
  // std::recursive_mutex asks which thread it is: hence pinned. Two fibers of one thread are one owner to it, which is
  // what ThreadSanitizer, who tells them apart, complains of. weft::recursive_mutex knows fibers.
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

TEST_CASE("retake off: the others wait, and get their turn when the call returns") {
  weft::options o = workers(1);
  o.retake = false;
  weft::runtime rt(o);
  latch_pipe pipe;
  std::atomic<bool> other_ran{false};
  bool ran_meanwhile = true;
  std::atomic<bool> begun{false};
  auto blocked = rt.spawn([&] {
    begun.store(true, std::memory_order_release);
    begun.notify_all();
    pipe.wait();
    ran_meanwhile = other_ran.load(std::memory_order_relaxed);
  });
  begun.wait(false, std::memory_order_acquire);  // spawns from outside keep no order among themselves
  auto other = rt.spawn([&] { other_ran.store(true, std::memory_order_relaxed); });
  std::this_thread::sleep_for(20ms);
  pipe.open();
  blocked.join();
  other.join();
  CHECK_FALSE(ran_meanwhile);
  CHECK(probe::retakes(rt) == 0);
}

TEST_CASE("no threads to be had: things wait, nothing breaks, and it is said once where the limit is") {
  weft::options o = workers(1);
  o.max_threads = 2;
  weft::runtime rt(o);
  latch_pipe pipe;
  std::atomic<int> inside{0};
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 4; ++i)
    fibers.push_back(rt.spawn([&] {
      inside.fetch_add(1, std::memory_order_relaxed);
      CHECK(pipe.wait() == 1);
    }));
  while (inside.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
  std::this_thread::sleep_for(20ms);
  CHECK(inside.load(std::memory_order_relaxed) == 2);  // both threads are taken
  pipe.open(4);
  for (auto& f : fibers) f.join();
  CHECK(probe::threads(rt) == 2);
}

TEST_CASE("kill point: the system gives no thread; then it does") {
  weft::runtime rt(workers(1));
  weft::os::test_hooks.thread_error.store(EAGAIN, std::memory_order_relaxed);
  latch_pipe pipe;
  std::atomic<bool> blocking{false}, ran{false};
  auto blocked = rt.spawn([&] {
    blocking.store(true, std::memory_order_relaxed);
    CHECK(pipe.wait() == 1);
  });
  while (!blocking.load(std::memory_order_relaxed)) std::this_thread::yield();
  auto other = rt.spawn([&] { ran.store(true, std::memory_order_relaxed); });
  std::this_thread::sleep_for(20ms);
  CHECK_FALSE(ran.load(std::memory_order_relaxed));
  weft::os::test_hooks.thread_error.store(0, std::memory_order_relaxed);
  other.join();
  pipe.open();
  blocked.join();
}

TEST_CASE("a timer set by a fiber that lost its processor before it parked still fires") {
  weft::runtime rt(workers(2));
  std::vector<weft::fiber<void>> fibers;
  probe::storm(rt, probe::retake_all);
  for (int i = 0; i < 16; ++i)
    fibers.push_back(rt.spawn([&] {
      for (int k = 0; k < 100; ++k) weft::this_fiber::sleep_for(100us);
    }));
  for (auto& f : fibers) f.join();
  probe::storm(rt, 0);
}
