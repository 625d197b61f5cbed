// SPDX-License-Identifier: BSL-1.0
// Kill points of the monitor's protocols that concern the whole process, each in a child of its
// own; and the cap. The others stand beside what they kill: retake_test (threads), preempt_test
// (tgkill, alternate stack), resize_test.
#include <mutex>
#include <vector>

#include "support/in_child.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// 0 if blocked and endless fibers hold up nobody.
int nothing_stalls(bool preempts) {
  weft::runtime rt(workers(1));
  latch_pipe pipe;
  std::atomic<bool> stop{false};
  ssize_t got = 0;
  std::vector<weft::fiber<void>> fibers;
  fibers.push_back(rt.spawn([&] { got = pipe.wait(); }));
  if (preempts) fibers.push_back(rt.spawn([&] { spin_until(stop); }));
  fibers.push_back(rt.spawn([&] {
    stop.store(true, std::memory_order_release);
    pipe.open();
  }));
  for (auto& f : fibers) f.join();
  return got == 1 && rt.shutdown() == 0 ? 0 : 1;
}

bool preemption_works() {
#if WEFT_TSAN
  return false;
#else
  return true;
#endif
}

}  // namespace

TEST_CASE(
    "kill point: membarrier missing: every entry pays a fence, and nothing stalls all the same") {
  const child_end end = in_child([] {
    weft::os::test_hooks.no_membarrier.store(true, std::memory_order_relaxed);
    const int result = nothing_stalls(preemption_works());
    return weft::os::membarrier_available() ? 2 : result;
  });
  CHECK(end.exit_code == 0);
  CHECK(end.signal == 0);
}

TEST_CASE(
    "at the cap of threads nobody is frozen any more: who computes keeps the processor until it "
    "calls weft") {
  if (no_preemption_here()) return;
  weft::options o = workers(1);
  o.max_threads = 2;  // one may be frozen
  weft::runtime rt(o);
  std::atomic<bool> stop{false};
  std::atomic<int> begun{0};
  std::vector<weft::fiber<void>> loops;
  for (int i = 0; i < 3; ++i)
    loops.push_back(rt.spawn([&] {
      begun.fetch_add(1, std::memory_order_relaxed);
      spin_until(stop);
    }));
  while (begun.load(std::memory_order_relaxed) < 2) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(60ms);  // six slices
  CHECK(begun.load(std::memory_order_relaxed) == 2);
  CHECK(probe::threads(rt) == 2);
  stop.store(true, std::memory_order_release);
  for (auto& l : loops) l.join();
  CHECK(begun.load(std::memory_order_relaxed) == 3);
}
