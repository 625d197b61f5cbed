// SPDX-License-Identifier: BSL-1.0
// While fibers block for moments, again and again, more processors serve; while they compute, or
// nobody waits, there are as many as options::workers.
#include <ctime>
#include <thread>
#include <vector>

#include "support/runtimes.hpp"
#include "support/storm.hpp"
#include "watch/compensator.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::detail::compensator;

namespace {

constexpr std::int64_t ms = 1'000'000;

/// Rounds a millisecond apart, each with `looks` looks, of which `blocked` find a blocked fiber.
struct rounds {
  compensator c;
  std::int64_t now = 5 * ms;
  std::size_t workers = 2, most = 4;
  std::size_t make(int n, int looks, int blocked) {
    std::size_t wanted = 0;
    for (int i = 0; i < n; ++i) {
      for (int k = 0; k < looks; ++k) c.looked(k < blocked);
      now += ms;
      wanted = c.end_round(now, workers, most);
    }
    return wanted;
  }
};

void nap(std::chrono::nanoseconds t) {
  const timespec wait{0, static_cast<long>(t.count())};
  ::nanosleep(&wait, nullptr);
}

std::size_t processors_now(weft::runtime& rt) { return probe::of(rt).serving(); }

/// Fibers that call `step` and yield, until the destructor.
class busy_fibers {
 public:
  template <class Step>
  busy_fibers(weft::runtime& rt, int n, Step step) {
    for (int i = 0; i < n; ++i)
      fibers_.push_back(rt.spawn([this, step] {
        while (!stop_.load(std::memory_order_relaxed)) {
          step();
          steps_.fetch_add(1, std::memory_order_relaxed);
          weft::this_fiber::yield();
        }
      }));
  }
  ~busy_fibers() {
    stop_.store(true, std::memory_order_relaxed);
    for (auto& f : fibers_) f.join();
  }
  busy_fibers(const busy_fibers&) = delete;
  busy_fibers& operator=(const busy_fibers&) = delete;
  int steps() const { return steps_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int> steps_{0};
  std::vector<weft::fiber<void>> fibers_;
};

}  // namespace

TEST_CASE("compensator: none while nobody is blocked, or nobody waits") {
  rounds r;
  CHECK(r.make(1000, 2, 0) == 0);
  CHECK(r.make(1000, 0, 0) == 0);
  for (int i = 0; i < 100; ++i) CHECK(r.make(1, 50, i % 50 == 0) == 0);  // one look in fifty
}

TEST_CASE("compensator: one at a time, and as many as leave `workers`") {
  rounds r;
  CHECK(r.make(1, 2, 2) == 1);
  CHECK(r.make(1, 2, 2) == 2);
  CHECK(r.make(1, 2, 2) == 3);
  CHECK(r.make(100, 2, 2) == 4);  // all are blocked all the time: the most
  rounds seldom;
  seldom.workers = 8;
  seldom.most = 16;
  // A tenth of eight: 13 less 1.3, less three times the square root of 1.17, is the first above 8.
  CHECK(seldom.make(300, 10, 1) == 5);
  rounds none;
  none.most = 0;
  CHECK(none.make(100, 2, 2) == 0);
}

TEST_CASE("compensator: goes back one by one, later; one sample a millisecond") {
  rounds r;
  CHECK(r.make(100, 2, 2) == 4);
  CHECK(r.make(150, 2, 0) == 4);  // the average takes a while, and the patience is 250 ms
  CHECK(r.make(300, 2, 0) == 3);
  CHECK(r.make(1000, 2, 0) == 0);
  CHECK(r.make(100, 2, 2) == 4);
  CHECK(r.make(240, 0, 0) == 4);  // nobody waits
  CHECK(r.make(20, 0, 0) == 3);
  CHECK(r.make(1000, 0, 0) == 0);
  CHECK(r.make(100, 2, 2) == 4);
  r.c.reset();
  CHECK(r.c.wanted() == 0);
  const std::int64_t now = r.now + ms;
  for (int i = 0; i < 10; ++i) {
    r.c.looked(true);
    r.c.looked(true);
    CHECK(r.c.end_round(now, 2, 4) == 1);
  }
}

TEST_CASE("fibers that block for 0.1 ms: more processors, within three times workers") {
  for (const std::size_t n : {std::size_t{1}, std::size_t{2}}) {
    weft::runtime rt(workers(n));
    std::size_t most = 0;
    {
      const busy_fibers fibers(rt, 20, [] { nap(100us); });
      while (processors_now(rt) <= n) std::this_thread::sleep_for(1ms);
      for (int i = 0; i < 200; ++i) {
        most = std::max(most, processors_now(rt));
        CHECK(rt.workers() == n);  // what the user asked for
        std::this_thread::sleep_for(1ms);
      }
    }
    CHECK(most <= 3 * n);
    // The runtime is idle now.
    while (processors_now(rt) != n) std::this_thread::sleep_for(1ms);
    CHECK(rt.workers() == n);
  }
}

TEST_CASE("fibers that stop blocking, and go on: the processors are taken back") {
  weft::runtime rt(workers(2));
  std::atomic<bool> blocks{true};
  const busy_fibers fibers(rt, 8, [&] {
    if (blocks.load(std::memory_order_relaxed)) nap(200us);
  });
  while (processors_now(rt) <= 2) std::this_thread::sleep_for(1ms);
  blocks.store(false, std::memory_order_relaxed);
  while (processors_now(rt) != 2) std::this_thread::sleep_for(1ms);
  const int before = fibers.steps();
  while (fibers.steps() < before + 100) std::this_thread::sleep_for(1ms);
}

TEST_CASE("fibers that compute, or block without retake, get no more processors") {
  std::atomic<std::uint64_t> sum{0};
  const auto compute = [&sum] {
    std::uint64_t x = 1;
    for (int i = 0; i < 100'000; ++i) x = x * 6364136223846793005U + 1;
    sum.fetch_add(x, std::memory_order_relaxed);
  };
  {
    weft::runtime rt(workers(2));
    const busy_fibers fibers(rt, 8, compute);
    while (fibers.steps() < 2000) {
      CHECK(processors_now(rt) == 2);
      std::this_thread::sleep_for(1ms);
    }
  }
  weft::options o = workers(2);
  o.retake = false;
  weft::runtime rt(o);
  const busy_fibers fibers(rt, 8, [] { nap(100us); });
  while (fibers.steps() < 1000) {
    CHECK(processors_now(rt) == 2);
    std::this_thread::sleep_for(1ms);
  }
}

TEST_CASE("fibers that compute for ever beside fibers that block: no more of them run at a time") {
  if (no_preemption_here()) return;
  weft::runtime rt(workers(1));
  std::atomic<bool> stop{false};
  std::vector<weft::fiber<void>> hogs;
  for (int i = 0; i < 3; ++i) hogs.push_back(rt.spawn([&] { spin_until(stop); }));
  {
    const busy_fibers fibers(rt, 4, [] { nap(100us); });
    while (fibers.steps() < 20 || probe::of(rt).sleeping().frozen() == 0)
      std::this_thread::sleep_for(1ms);
    while (processors_now(rt) != 1) std::this_thread::sleep_for(1ms);
    const int before = fibers.steps();
    while (fibers.steps() < before + 50) {
      CHECK(processors_now(rt) == 1);
      std::this_thread::sleep_for(1ms);
    }
    stop.store(true, std::memory_order_relaxed);
  }
  for (auto& f : hogs) f.join();
}

TEST_CASE("workers left to weft: the CPUs change while others compensate") {
  weft::os::test_hooks.usable_cpus.store(4, std::memory_order_relaxed);
  {
    weft::runtime rt;
    probe::ask_for_cpus_every(rt, 1ms);
    const busy_fibers fibers(rt, 30, [] { nap(100us); });
    for (const unsigned n : {1U, 2U, 1U}) {
      weft::os::test_hooks.usable_cpus.store(n, std::memory_order_relaxed);
      while (rt.workers() != n || processors_now(rt) <= n || processors_now(rt) > 3 * n)
        std::this_thread::sleep_for(1ms);
    }
  }
  weft::os::test_hooks.usable_cpus.store(0, std::memory_order_relaxed);
}

TEST_CASE("max_threads leaves threads for others: none is added that needs over half") {
  weft::options o = workers(2);
  o.max_threads = 6;
  weft::runtime rt(o);
  {
    const busy_fibers fibers(rt, 20, [] { nap(100us); });
    while (fibers.steps() < 1000) {
      CHECK(processors_now(rt) == 2);
      std::this_thread::sleep_for(1ms);
    }
  }
}

TEST_CASE("fewer fibers that compute than processors that compensate: those go as well") {
  for (const int hogs : {1, 3}) {
    weft::runtime rt(workers(2));
    std::atomic<bool> stop{false};
    std::vector<weft::fiber<void>> fibers;
    {
      const busy_fibers blocking(rt, 20, [] { nap(100us); });
      while (processors_now(rt) < 5) std::this_thread::sleep_for(1ms);
      for (int i = 0; i < hogs; ++i)
        fibers.push_back(rt.spawn([&] {
          while (!stop.load(std::memory_order_relaxed))
            for (int k = 0; k < 1000; ++k) weft::this_fiber::yield();
        }));
    }
    while (processors_now(rt) != 2) std::this_thread::sleep_for(1ms);
    stop.store(true, std::memory_order_relaxed);
    for (auto& f : fibers) f.join();
  }
}

TEST_CASE("fibers that compute without a call, after they blocked: the processors go") {
  if (no_preemption_here()) return;
  for (const int n : {2, 3, 8}) {
    weft::runtime rt(workers(2));
    std::atomic<bool> blocks{true}, stop{false};
    std::vector<weft::fiber<void>> fibers;
    for (int i = 0; i < n; ++i)
      fibers.push_back(rt.spawn([&] {
        while (blocks.load(std::memory_order_relaxed)) {
          nap(100us);
          weft::this_fiber::yield();
        }
        spin_until(stop);
      }));
    // Two fibers on two processors keep nobody waiting.
    while (n > 2 && processors_now(rt) == 2) std::this_thread::sleep_for(1ms);
    blocks.store(false, std::memory_order_relaxed);
    while (processors_now(rt) != 2) std::this_thread::sleep_for(1ms);
    stop.store(true, std::memory_order_relaxed);
    for (auto& f : fibers) f.join();
  }
}
