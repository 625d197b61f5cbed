// SPDX-License-Identifier: BSL-1.0
// The monitor's other duties: timers behind a busy holder, stall reports, sleep when nothing
// happens.
#include <ctime>

#include <condition_variable>
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
  reports seen;
  weft::options o = workers(1);
  o.stall_after = 20ms;
  o.on_stall = [&](const weft::stall_report& r) { seen.add(r); };
  weft::runtime rt(o);
  std::atomic<bool> stop{false};
  weft::attributes a;
  a.name = "hog";
  auto hog = rt.spawn(a, [&] { spins_for_all_to_see(stop); });
  const weft::stall_report r = seen.first();
  CHECK(r.fiber_name == "hog");
  CHECK(r.kind == weft::stall_kind::computing);
  CHECK(r.duration >= 20ms);
  if (!no_preemption_here()) {
    CHECK(r.calls.size() > 1);
    CHECK_MESSAGE(r.stack().find("spins_for_all_to_see") != std::string::npos, r.stack());
  }
  std::this_thread::sleep_for(60ms);
  stop.store(true, std::memory_order_release);
  hog.join();
  CHECK(seen.count() == 1);
}

TEST_CASE("a stall is reported once: blocked, with and without its processor") {
  for (const bool retake : {true, false}) {
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
    const weft::stall_report r = seen.first();
    CHECK(r.fiber_name == "sleeper");
    CHECK(r.kind == weft::stall_kind::blocked);
    if (knows_system_calls() && !no_preemption_here())
      CHECK_MESSAGE(r.stack().find("waits_for_all_to_see") != std::string::npos, r.stack());
    std::this_thread::sleep_for(60ms);
    pipe.open();
    blocked.join();
    CHECK(seen.count() == 1);
  }
}

TEST_CASE("an idle runtime costs nothing") {
  weft::runtime rt(workers(2));
  std::vector<weft::fiber<weft::wait_result>> fibers;
  for (int i = 0; i < 1000; ++i)
    fibers.push_back(rt.spawn([] { return weft::this_fiber::sleep_for(10s); }));
  std::this_thread::sleep_for(300ms);  // it falls asleep
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(1s);
#if !WEFT_TSAN  // has a thread of its own, which works
  CHECK(std::clock() - before < CLOCKS_PER_SEC / 50);
#else
  static_cast<void>(before);
#endif
  for (auto& f : fibers) f.request_stop();
  for (auto& f : fibers) CHECK(f.join() == weft::wait_result::stopped);
}
