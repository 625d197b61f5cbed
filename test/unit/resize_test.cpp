// SPDX-License-Identifier: BSL-1.0
// The number of processors follows what the system grants, up and down, while fibers run; nothing
// is lost on the way.
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>
#include <vector>

#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// What the system says, while it lives.
class granted_cpus {
 public:
  explicit granted_cpus(unsigned n) { set(n); }
  ~granted_cpus() { set(0); }
  granted_cpus(const granted_cpus&) = delete;
  granted_cpus& operator=(const granted_cpus&) = delete;
  void set(unsigned n) { weft::os::test_hooks.usable_cpus.store(n, std::memory_order_relaxed); }
};

weft::options left_to_weft() { return {}; }

// Keeps the runtime busy, so that it asks, until it has `n` processors.
void until_it_has(weft::runtime& rt, std::size_t n) {
  rt.spawn([&] { until([&] { return rt.workers() == n; }); }).join();
}

}  // namespace

TEST_CASE("fewer and more processors while fibers yield, sleep and spawn") {
  granted_cpus cpus(4);
  with_runtime(left_to_weft(), [&](weft::runtime& rt) {
    probe::ask_for_cpus_every(rt, 1ms);
    std::atomic<bool> stop{false};
    std::atomic<int> children{0};
    std::vector<weft::fiber<int>> fibers;
    for (int i = 0; i < 40; ++i)
      fibers.push_back(rt.spawn([&, i] {
        int n = 0;
        while (!stop.load(std::memory_order_relaxed)) {
          if (i % 3 == 0) weft::this_fiber::sleep_for(100us);
          if (i % 3 == 1) weft::this_fiber::yield();
          if (i % 3 == 2)
            n += weft::spawn([&] {
                   return children.fetch_add(1, std::memory_order_relaxed) >= 0;
                 }).join();
        }
        return n;
      }));
    for (const unsigned n : {1U, 4U, 2U, 3U, 1U, 2U}) {
      cpus.set(n);
      until_it_has(rt, n);
    }
    stop.store(true, std::memory_order_relaxed);
    int joined = 0;
    for (auto& f : fibers) joined += f.join();
    CHECK(joined == children.load(std::memory_order_relaxed));
  });
}

TEST_CASE(
    "more CPUs than at the start: processors are made, and they run fibers at the same time") {
  granted_cpus cpus(1);
  weft::os::test_hooks.usable_cpus.store(8, std::memory_order_relaxed);  // what may be some day
  weft::runtime rt;
  cpus.set(1);
  probe::ask_for_cpus_every(rt, 1ms);
  until_it_has(rt, 1);
  cpus.set(3);
  until_it_has(rt, 3);
  // Three at once, or this never ends: none of them calls weft.
  std::atomic<int> inside{0};
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 3; ++i)
    fibers.push_back(rt.spawn([&] {
      const weft::no_preempt alone;
      inside.fetch_add(1, std::memory_order_relaxed);
      while (inside.load(std::memory_order_relaxed) < 3) continue;
    }));
  for (auto& f : fibers) f.join();
}

TEST_CASE(
    "a machine with more CPUs than max_threads allows: the processors are as many as it does") {
  const granted_cpus cpus(600);
  weft::options o;
  o.max_threads = 3;
  const weft::runtime rt(o);
  CHECK(rt.workers() == 2);
  const weft::runtime with_defaults;
  CHECK(with_defaults.workers() == weft::options{}.max_threads - 1);
}

TEST_CASE("a number given by the user stays") {
  granted_cpus cpus(1);
  weft::runtime rt(workers(3));
  probe::ask_for_cpus_every(rt, 0ns);
  rt.spawn([] {
      for (int i = 0; i < 20; ++i) weft::this_fiber::sleep_for(1ms);
    }).join();
  CHECK(rt.workers() == 3);
}

TEST_CASE("grown beyond the CPUs of the start: one processor at first") {
  granted_cpus cpus(1);
  weft::runtime rt;
  CHECK(rt.workers() == 1);
  CHECK(probe::processors_made(rt) == 1);
  probe::ask_for_cpus_every(rt, 1ms);
  const unsigned most = weft::os::online_cpus();
  cpus.set(most + 5);
  until_it_has(rt, most);
  CHECK(probe::processors_made(rt) == most);
}

TEST_CASE("no more processors than max_threads has threads for") {
  granted_cpus cpus(2);
  weft::options o;
  o.max_threads = 3;
  weft::runtime rt(o);
  probe::ask_for_cpus_every(rt, 0ns);
  cpus.set(64);
  rt.spawn([] {
      for (int i = 0; i < 20; ++i) weft::this_fiber::sleep_for(1ms);
    }).join();
  CHECK(rt.workers() == 2);
}

TEST_CASE("fibers that compute, or block, give up a processor that is to go") {
  if (no_preemption_here()) return;
  granted_cpus cpus(3);
  weft::runtime rt;
  probe::ask_for_cpus_every(rt, 1ms);
  std::atomic<bool> stop{false};
  latch_pipe pipe;
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 2; ++i) fibers.push_back(rt.spawn([&] { spin_until(stop); }));
  fibers.push_back(rt.spawn([&] { CHECK(pipe.wait() == 1); }));
  cpus.set(1);
  // nobody waits: the surplus alone is reason enough
  while (rt.workers() != 1) std::this_thread::sleep_for(1ms);
  cpus.set(3);
  while (rt.workers() != 3) std::this_thread::sleep_for(1ms);
  stop.store(true, std::memory_order_release);
  pipe.open();
  for (auto& f : fibers) f.join();
}

TEST_CASE("pinned fibers are served when their thread's processor rests") {
  granted_cpus cpus(4);
  weft::runtime rt;
  probe::ask_for_cpus_every(rt, 1ms);
  std::atomic<bool> stop{false};
  std::atomic<int> steps[8] = {};
  weft::attributes pinned;
  pinned.pinned = true;
  std::vector<weft::fiber<void>> fibers;
  for (auto& s : steps)
    fibers.push_back(rt.spawn(pinned, [&] {
      const pthread_t mine = pthread_self();
      while (!stop.load(std::memory_order_relaxed)) {
        s.fetch_add(1, std::memory_order_relaxed);
        if (s.load(std::memory_order_relaxed) % 2 == 0)
          weft::this_fiber::yield();
        else
          weft::this_fiber::sleep_for(50us);
        CHECK(pthread_equal(mine, pthread_self()));
      }
    }));
  for (const unsigned n : {1U, 3U, 1U}) {
    cpus.set(n);
    while (rt.workers() != n) std::this_thread::sleep_for(1ms);
    int before[8];
    for (int i = 0; i < 8; ++i) before[i] = steps[i].load(std::memory_order_relaxed);
    for (int i = 0; i < 8; ++i)  // each gets on
      while (steps[i].load(std::memory_order_relaxed) < before[i] + 10)
        std::this_thread::sleep_for(1ms);
  }
  stop.store(true, std::memory_order_relaxed);
  for (auto& f : fibers) f.join();
}

TEST_CASE("deadlines of a processor that goes are kept") {
  granted_cpus cpus(4);
  weft::runtime rt;
  probe::ask_for_cpus_every(rt, 1ms);
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 400; ++i)
    fibers.push_back(
        rt.spawn([i] { weft::this_fiber::sleep_for(std::chrono::milliseconds(20 + i % 50)); }));
  cpus.set(1);
  until_it_has(rt, 1);
  for (auto& f : fibers) f.join();
}

TEST_CASE("the change comes while everything sleeps: nobody asks, the first who wakes does") {
  granted_cpus cpus(3);
  weft::runtime rt;
  probe::ask_for_cpus_every(rt, 1ms);
  until_it_has(rt, 3);
  while (!probe::monitor_sleeps(rt)) std::this_thread::sleep_for(1ms);
  cpus.set(1);
  std::this_thread::sleep_for(20ms);
  CHECK(rt.workers() == 3);
  CHECK(probe::monitor_sleeps(rt));
  until_it_has(rt, 1);
  cpus.set(3);
  until_it_has(rt, 3);
}

TEST_CASE("kill point: no thread for a processor that is granted; then there is") {
  granted_cpus cpus(1);
  if (weft::os::online_cpus() < 2) return;
  weft::runtime rt;
  probe::ask_for_cpus_every(rt, 1ms);
  weft::os::test_hooks.thread_error.store(EAGAIN, std::memory_order_relaxed);
  cpus.set(2);
  rt.spawn([] {
      for (int i = 0; i < 20; ++i) weft::this_fiber::sleep_for(1ms);
    }).join();
  weft::os::test_hooks.thread_error.store(0, std::memory_order_relaxed);
  until_it_has(rt, 2);
}
