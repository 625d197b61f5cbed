// SPDX-License-Identifier: BSL-1.0
// Fibers that compute and never call: the others run, locks and signals and guards behave.
#include <sched.h>

#include <cerrno>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("an endless loop on the only worker ends when another fiber says so") {
  if (no_preemption_here()) return;
  weft::runtime rt(workers(1));
  std::atomic<bool> stop{false};
  auto loop = rt.spawn([&] { spin_until(stop); });
  auto other = rt.spawn([&] { stop.store(true, std::memory_order_release); });
  other.join();
  loop.join();
  CHECK(probe::preemptions(rt) <= 1);  // or the other ran first
}

TEST_CASE("four endless loops and a ticker share one worker; the loops take turns") {
  if (no_preemption_here()) return;
  weft::runtime rt(workers(1));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> rounds[4] = {};
  std::vector<weft::fiber<void>> loops;
  for (auto& r : rounds)
    loops.push_back(rt.spawn([&] {
      while (!stop.load(std::memory_order_relaxed)) r.fetch_add(1, std::memory_order_relaxed);
    }));
  auto ticker = rt.spawn([&] {
    for (;;) {  // until everybody has had a turn
      weft::this_fiber::sleep_for(1ms);
      bool all = true;
      for (auto& r : rounds) all = all && r.load(std::memory_order_relaxed) > 0;
      if (all) break;
    }
    stop.store(true, std::memory_order_relaxed);
  });
  ticker.join();
  for (auto& l : loops) l.join();
  CHECK(probe::preemptions(rt) + probe::retakes(rt) >= 4);  // a page fault is a block
}

TEST_CASE("preempted with a std::mutex held: its contenders block, the holder gets on") {
  if (no_preemption_here()) return;
  weft::runtime rt(workers(1));
  std::mutex m;
  std::atomic<bool> enough{false};
  auto holder = rt.spawn([&] {
    const std::lock_guard guard(m);
    spin_until(enough);  // whoever sets it runs only if we are preempted here
  });
  std::vector<weft::fiber<void>> others;
  for (int i = 0; i < 4; ++i)
    others.push_back(rt.spawn([&] {
      enough.store(true, std::memory_order_release);
      const std::lock_guard guard(m);
    }));
  holder.join();
  for (auto& o : others) o.join();
}

TEST_CASE(
    "the service_thread waits for what a preempted fiber holds: the fiber goes on without a "
    "processor") {
  if (no_preemption_here()) return;
  std::mutex m;
  weft::options o = workers(1);
  o.stall_after = 50ms;
  o.on_stall = [&](const weft::stall_report& r) {
    if (r.fiber_name == "hog") const std::lock_guard guard(m);
  };
  weft::runtime rt(o);
  std::atomic<bool> hogging{false}, released{false};
  auto holder = rt.spawn([&] {
    {
      const std::lock_guard guard(m);
      spin_until(hogging);  // preempted here
    }
    released.store(true, std::memory_order_release);
  });
  weft::attributes a;
  a.name = "hog";
  a.preemptible = false;  // keeps the only processor
  auto hog = rt.spawn(a, [&] {
    hogging.store(true, std::memory_order_release);
    spin_until(released);
  });
  hog.join();
  holder.join();
}

TEST_CASE("no_preempt and attributes::preemptible keep the processor") {
  if (no_preemption_here()) return;
  for (const bool by_guard : {true, false}) {
    weft::options o = workers(1);
    o.retake = false;  // a slow page fault would be a block
    weft::runtime rt(o);
    std::atomic<bool> other_ran{false};
    bool ran_meanwhile = true;
    weft::attributes a;
    a.preemptible = by_guard;
    auto body = [&] {
      std::optional<weft::no_preempt> guard;
      if (by_guard) guard.emplace();
      const auto end = std::chrono::steady_clock::now() + 60ms;  // six slices
      while (std::chrono::steady_clock::now() < end) continue;
      ran_meanwhile = other_ran.load(std::memory_order_relaxed);
    };
    weft::fiber<void> busy = rt.spawn(a, [&] {
      auto other = weft::spawn([&] { other_ran.store(true, std::memory_order_relaxed); });
      body();
      other.join();
    });
    busy.join();
    CHECK_FALSE(ran_meanwhile);
    CHECK(probe::preemptions(rt) == 0);
  }
}

namespace {
std::atomic<int> own_signals{0};
void own_handler(int) { own_signals.fetch_add(1, std::memory_order_relaxed); }
}  // namespace

TEST_CASE("the application's handler of the same signal gets what is not weft's") {
  if (no_preemption_here()) return;
  struct sigaction mine{}, before{};
  mine.sa_handler = own_handler;
  weft::options o = workers(1);
  o.preempt_signal = SIGUSR2;
  REQUIRE(sigaction(SIGUSR2, &mine, &before) == 0);
  {
    weft::runtime rt(o);
    std::atomic<bool> stop{false};
    const int seen = own_signals.load(std::memory_order_relaxed);
    auto loop = rt.spawn([&] { spin_until(stop); });
    std::thread plain([] { pthread_kill(pthread_self(), SIGUSR2); });
    plain.join();
    auto other = rt.spawn([&] {
      pthread_kill(pthread_self(), SIGUSR2);  // on a worker, too
      stop.store(true, std::memory_order_release);
    });
    other.join();
    loop.join();
    CHECK(own_signals.load(std::memory_order_relaxed) == seen + 2);
  }
  weft::os::restore_signal_handler(SIGUSR2);
  sigaction(SIGUSR2, &before, nullptr);
}

TEST_CASE("a late signal of weft's is not the application's") {
  struct sigaction mine{}, before{};
  mine.sa_handler = own_handler;
  weft::options o = workers(1);
  o.preempt_signal = SIGUSR2;
  REQUIRE(sigaction(SIGUSR2, &mine, &before) == 0);
  const int seen = own_signals.load(std::memory_order_relaxed);
  {
    weft::runtime rt(o);
    rt.spawn([] {
        for (int i = 0; i < 3; ++i)  // nobody asked for it, or no longer
          CHECK_FALSE(weft::os::send_preempt_signal(weft::os::thread_id(), SIGUSR2));
        pthread_kill(pthread_self(), SIGUSR2);
      }).join();
  }
  CHECK(own_signals.load(std::memory_order_relaxed) == seen + 1);
  weft::os::restore_signal_handler(SIGUSR2);
  sigaction(SIGUSR2, &before, nullptr);
}

TEST_CASE("a blocking call that is hit by the signal is restarted") {
  if (no_preemption_here()) return;
  weft::runtime rt(workers(1));
  latch_pipe pipe;
  ssize_t got = 0;
  std::atomic<pthread_t> thread{};
  std::atomic<bool> in{false};
  auto blocked = rt.spawn([&] {
    thread.store(pthread_self(), std::memory_order_relaxed);
    in.store(true, std::memory_order_release);
    got = pipe.wait();
  });
  spin_until(in);
  for (int i = 0; i < 50; ++i) {
    pthread_kill(thread.load(std::memory_order_relaxed), SIGURG);
    std::this_thread::sleep_for(200us);
  }
  pipe.open();
  blocked.join();
  CHECK(got == 1);
}

TEST_CASE("kill points: tgkill fails, or there is no alternate stack: no preemption, no harm") {
  if (no_preemption_here()) return;
  for (auto* hook :
       {&weft::os::test_hooks.signal_error, &weft::os::test_hooks.alternate_stack_error}) {
    hook->store(EPERM, std::memory_order_relaxed);
    {
      weft::runtime rt(workers(1));
      std::atomic<bool> stop{false};
      auto loop = rt.spawn([&] { spin_until(stop); });
      auto other = rt.spawn([&] {});
      std::this_thread::sleep_for(50ms);
      stop.store(true, std::memory_order_release);
      loop.join();
      other.join();
      CHECK(probe::preemptions(rt) == 0);
    }
    hook->store(0, std::memory_order_relaxed);
  }
}

namespace {

/// This thread, and those it makes, on one CPU, for as long as it lives.
class on_one_cpu {
 public:
  on_one_cpu() {
    REQUIRE(sched_getaffinity(0, sizeof before_, &before_) == 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    int first = 0;
    while (!CPU_ISSET(first, &before_)) ++first;
    CPU_SET(first, &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  }
  ~on_one_cpu() { sched_setaffinity(0, sizeof before_, &before_); }
  on_one_cpu(const on_one_cpu&) = delete;
  on_one_cpu& operator=(const on_one_cpu&) = delete;

 private:
  cpu_set_t before_{};
};

}  // namespace

TEST_CASE("a slice is CPU time: a thread that waits for a CPU is not preempted for it") {
  if (no_preemption_here()) return;
  constexpr int threads_beside = 7;
  const on_one_cpu here;
  std::atomic<bool> stop{false};
  std::vector<std::thread> beside;
  for (int i = 0; i < threads_beside; ++i) beside.emplace_back([&] { spin_until(stop); });
  weft::options o = workers(1);
  o.time_slice = 20ms;
  weft::runtime rt(o);
  std::atomic<bool> computed{false};
  std::chrono::nanoseconds used{};
  auto other = rt.spawn([&] {
    while (!computed.load(std::memory_order_acquire)) weft::this_fiber::yield();
  });
  auto loop = rt.spawn([&] {
    const auto begin = thread_cpu_time();  // a preempted fiber comes back to its thread
    while (thread_cpu_time() - begin < 200ms) continue;
    used = thread_cpu_time() - begin;
    computed.store(true, std::memory_order_release);
  });
  loop.join();
  other.join();
  stop.store(true, std::memory_order_release);
  for (std::thread& t : beside) t.join();
  // Its slices, and as many again, for the monitor sees late when one begins.
  const auto slices = static_cast<std::uint64_t>(used / o.time_slice);
  CHECK(probe::preemptions(rt) <= 2 * slices);
}

TEST_CASE("time_slice 0 and preempt_signal 0 preempt nobody") {
  for (const bool by_slice : {true, false}) {
    weft::options o = workers(1);
    if (by_slice)
      o.time_slice = 0ms;
    else
      o.preempt_signal = 0;
    weft::runtime rt(o);
    std::atomic<bool> stop{false};
    auto loop = rt.spawn([&] { spin_until(stop); });
    auto other = rt.spawn([&] {});
    std::this_thread::sleep_for(50ms);
    stop.store(true, std::memory_order_release);
    loop.join();
    other.join();
    CHECK(probe::preemptions(rt) == 0);
  }
}
