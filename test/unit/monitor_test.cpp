// SPDX-License-Identifier: BSL-1.0
// The monitor's other duties: timers behind a busy holder, stall reports, sleep when nothing
// happens.
#include <algorithm>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>
#include <vector>

#include "support/dumps.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

class reports {
 public:
  void add(const weft::stall_report& r) {
    const std::lock_guard guard(lock_);
    all_.push_back(r);
    changed_.notify_all();
  }
  weft::stall_report first() {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [&] { return !all_.empty(); });
    return all_.front();
  }
  std::size_t count() {
    const std::lock_guard guard(lock_);
    return all_.size();
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<weft::stall_report> all_;
};

[[gnu::noinline]] void spins_for_all_to_see(const std::atomic<bool>& stop) {
  spin_until(stop);
  asm volatile("");  // no tail call
}
[[gnu::noinline]] void waits_for_all_to_see(latch_pipe& pipe) {
  pipe.wait();
  asm volatile("");
}

weft::stall_report stall_of_one_that_computes() {
  reports seen;
  weft::options o = workers(1);
  o.stall_after = 20ms;
  o.on_stall = [&](const weft::stall_report& r) { seen.add(r); };
  weft::runtime rt(o);
  std::atomic<bool> stop{false};
  weft::attributes a;
  a.name = "hog";
  auto hog = rt.spawn(a, [&] { spins_for_all_to_see(stop); });
  weft::stall_report r = seen.first();
  CHECK(r.fiber_name == "hog");
  CHECK(r.kind == weft::stall_kind::computing);
  CHECK(r.duration >= 20ms);
  std::this_thread::sleep_for(60ms);
  stop.store(true, std::memory_order_release);
  hog.join();
  CHECK(seen.count() == 1);
  return r;
}

weft::stall_report stall_of_one_that_blocks(bool retake) {
  reports seen;
  weft::options o = workers(1);
  o.stall_after = 20ms;
  o.retake = retake;
  o.on_stall = [&](const weft::stall_report& r) { seen.add(r); };
  weft::runtime rt(o);
  latch_pipe pipe;
  weft::attributes a;
  a.name = "sleeper";
  auto blocked = rt.spawn(a, [&] { waits_for_all_to_see(pipe); });
  weft::stall_report r = seen.first();
  CHECK(r.fiber_name == "sleeper");
  CHECK(r.kind == weft::stall_kind::blocked);
  std::this_thread::sleep_for(60ms);
  pipe.open();
  blocked.join();
  CHECK(seen.count() == 1);
  return r;
}

// A thread that gets no CPU for a while does not show its calls in time: then once more.
template <class Attempt>
void until_calls_are_told(Attempt attempt, const char* innermost) {
  std::string stack;
  CAPTURE(stack);
  until([&] {
    const weft::stall_report r = attempt();
    stack = r.stack();
    return r.calls.size() > 1 && stack.find(innermost) != std::string::npos;
  });
}

}  // namespace

TEST_CASE(
    "a timer is fired behind a fiber that computes, and its fiber runs on an idle processor") {
  weft::runtime rt(workers(2));
  std::atomic<bool> stop{false};
  auto parent = rt.spawn([&] {
    auto sleeper = weft::spawn([&] {
      weft::this_fiber::sleep_for(5ms);
      stop.store(true, std::memory_order_release);
    });
    weft::this_fiber::yield();
    spin_until(stop);
    sleeper.join();
  });
  parent.join();
}

TEST_CASE("a stall is reported once: who, how long, computing") {
  if (no_preemption_here())
    stall_of_one_that_computes();
  else
    until_calls_are_told(stall_of_one_that_computes, "spins_for_all_to_see");
}

TEST_CASE("a stall is reported once: blocked, with and without its processor") {
  const bool has_calls = knows_system_calls() && !no_preemption_here();
  for (const bool retake : {true, false}) {
    if (has_calls)
      until_calls_are_told([&] { return stall_of_one_that_blocks(retake); },
                           "waits_for_all_to_see");
    else
      stall_of_one_that_blocks(retake);
  }
}

TEST_CASE("an idle runtime costs nothing") {
  weft::runtime rt(workers(2));
  std::vector<weft::fiber<weft::wait_result>> fibers;
  for (int i = 0; i < 1000; ++i)
    fibers.push_back(rt.spawn([] { return weft::this_fiber::sleep_for(1h); }));
  until([&] { return weft::metrics(rt).waiting == 1000 && probe::monitor_sleeps(rt); });
#if !WEFT_TSAN  // has a thread of its own, which works
  // The cheapest of some seconds: the one look for a deadlock falls into another.
  constexpr std::clock_t nothing = CLOCKS_PER_SEC / 50;
  std::clock_t least = CLOCKS_PER_SEC;
  for (int i = 0; i < 20 && least >= nothing; ++i) {
    const std::clock_t before = std::clock();
    std::this_thread::sleep_for(1s);
    least = std::min(least, std::clock() - before);
  }
  CHECK(least < nothing);
#endif
  for (auto& f : fibers) f.request_stop();
  for (auto& f : fibers) CHECK(f.join() == weft::wait_result::stopped);
}
