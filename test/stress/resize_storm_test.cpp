// SPDX-License-Identifier: BSL-1.0
// The number of processors changes at random, up to a thousand times a second, under fibers of all
// kinds, alone and together with preemption and retakes. WEFT_SOAK_SECONDS makes it a soak.
#include "support/torture.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

void shake(weft::runtime& rt, std::minstd_rand& random) {
  probe::ask_for_cpus_every(rt, 200us);
  weft::os::test_hooks.usable_cpus.store(1 + static_cast<unsigned>(random() % 8),
                                         std::memory_order_relaxed);
  std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
}

struct eight_cpus {
  eight_cpus() { weft::os::test_hooks.usable_cpus.store(8, std::memory_order_relaxed); }
  ~eight_cpus() { weft::os::test_hooks.usable_cpus.store(0, std::memory_order_relaxed); }
};

}  // namespace

TEST_CASE("processors come and go: results exact, nothing hangs, memory flat") {
  const eight_cpus most;
  torture(0, 0, shake);
}

TEST_CASE("processors come and go while others are preempted and retaken") {
  if (no_preemption_here()) return;
  const eight_cpus most;
  torture(0, probe::preempts | probe::retake_all, shake);
}

TEST_CASE("processors come and go in a runtime that falls asleep and wakes up") {
  const eight_cpus most;
  weft::runtime rt;
  std::minstd_rand random(static_cast<unsigned>(seed()));
  const auto end = std::chrono::steady_clock::now() + soak_time();
  std::uint64_t sum = 0, expected = 0;
  while (std::chrono::steady_clock::now() < end) {
    shake(rt, random);
    std::vector<weft::fiber<std::uint64_t>> fibers;
    for (std::uint64_t i = 0; i < 20; ++i) {
      expected += i;
      fibers.push_back(rt.spawn([i] {
        weft::this_fiber::sleep_for(std::chrono::microseconds(i * 20));
        return i;
      }));
    }
    for (auto& f : fibers) sum += f.join();
    // long enough for the monitor to lie down
    if (random() % 8 == 0) std::this_thread::sleep_for(60ms);
  }
  CHECK(sum == expected);
  CHECK(rt.shutdown() == 0);
}

TEST_CASE("processors that compensate come and go while others are preempted and retaken") {
  if (no_preemption_here()) return;
  torture(2, probe::preempts | probe::retake_all, [](weft::runtime& rt, std::minstd_rand& random) {
    probe::compensate(rt, random() % 5);
    CHECK(rt.workers() <= 2);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
  });
}
