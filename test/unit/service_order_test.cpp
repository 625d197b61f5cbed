// SPDX-License-Identifier: BSL-1.0
// Whom a processor serves next (sched/service_order.hpp), seen from outside: who waits for a timer,
// a descriptor, another fiber or its first turn is served beside fibers that compute and fibers
// that yield. What is counted are turns of the others, not time.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <ctime>
#include <span>
#include <thread>
#include <vector>

#include "support/net.hpp"
#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t yielders = 1000;

// So many fibers that compute for a moment and yield, while it lives. `turns` counts theirs.
class crowd_that_yields {
 public:
  explicit crowd_that_yields(weft::runtime& rt) {
    for (std::size_t i = 0; i < yielders; ++i)
      fibers_.push_back(rt.spawn([this] {
        while (!over_.load(std::memory_order_relaxed)) {
          const auto end = std::chrono::steady_clock::now() + 60us;
          while (std::chrono::steady_clock::now() < end) continue;
          turns.fetch_add(1, std::memory_order_relaxed);
          weft::this_fiber::yield();
        }
      }));
    until([&] { return turns.load(std::memory_order_relaxed) > 0; });
  }
  ~crowd_that_yields() {
    over_.store(true, std::memory_order_relaxed);
    for (auto& f : fibers_) f.join();
  }
  crowd_that_yields(const crowd_that_yields&) = delete;
  crowd_that_yields& operator=(const crowd_that_yields&) = delete;

  std::atomic<std::size_t> turns{0};

 private:
  std::atomic<bool> over_{false};
  std::vector<weft::fiber<void>> fibers_;
};

// One fiber that computes for ever for each worker, while it lives.
class hogs {
 public:
  explicit hogs(weft::runtime& rt, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) fibers_.push_back(rt.spawn([this] { spin_until(over_); }));
  }
  ~hogs() {
    over_.store(true, std::memory_order_release);
    for (auto& f : fibers_) f.join();
  }
  hogs(const hogs&) = delete;
  hogs& operator=(const hogs&) = delete;

 private:
  std::atomic<bool> over_{false};
  std::vector<weft::fiber<void>> fibers_;
};

std::size_t median(std::vector<std::size_t> all) {
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

}  // namespace

// With one worker it had no turn at all: the sleeper came first whenever the processor was free,
// then the one that computes.
TEST_CASE("a spawn from a plain thread starts beside fibers that compute and fibers that sleep") {
  if (no_preemption_here()) return;
  for (const std::size_t n : worker_counts) {
    CAPTURE(n);
    weft::runtime rt(workers(n));
    std::atomic<bool> over{false};
    std::atomic<std::size_t> naps{0};
    std::vector<weft::fiber<void>> sleepers;
    {
      const hogs compute(rt, n);
      for (std::size_t i = 0; i < n; ++i)
        sleepers.push_back(rt.spawn([&] {
          while (!over.load(std::memory_order_relaxed)) {
            weft::this_fiber::sleep_for(1ms);
            naps.fetch_add(1, std::memory_order_relaxed);
          }
        }));
      until([&] { return naps.load(std::memory_order_relaxed) > n; });
      std::atomic<bool> ran{false};
      auto late = rt.spawn([&] { ran.store(true, std::memory_order_relaxed); });
      until([&] { return ran.load(std::memory_order_relaxed); });
      over.store(true, std::memory_order_relaxed);
      late.join();
    }
    for (auto& s : sleepers) s.join();
  }
}

TEST_CASE("a fiber whose timer is due goes before fibers that yielded") {
  for (const std::size_t n : worker_counts) {
    CAPTURE(n);
    weft::runtime rt(workers(n));
    crowd_that_yields extra_waiters(rt);
    std::vector<std::size_t> between;
    rt.spawn([&] {
        for (int i = 0; i < 31; ++i) {
          const std::size_t before = extra_waiters.turns.load(std::memory_order_relaxed);
          weft::this_fiber::sleep_for(1ms);
          between.push_back(extra_waiters.turns.load(std::memory_order_relaxed) - before);
        }
      }).join();
    CHECK(median(between) < yielders / 2);
  }
}

TEST_CASE("a fiber whose descriptor is ready goes before fibers that yielded") {
  for (const std::size_t n : worker_counts) {
    CAPTURE(n);
    weft::runtime rt(workers(n));
    auto [mine, peer] = rt.spawn([] { return connected_pair(); }).join();
    crowd_that_yields extra_waiters(rt);
    std::atomic<std::size_t> at_write{0};
    std::vector<std::size_t> between;
    auto reader = rt.spawn([&, &peer = peer] {
      std::byte b{};
      while (peer.read_some(std::span(&b, 1)) == 1) {
        between.push_back(extra_waiters.turns.load(std::memory_order_relaxed) -
                          at_write.load(std::memory_order_relaxed));
        at_write.store(0, std::memory_order_release);
      }
    });
    const std::byte b{1};
    for (int i = 0; i < 31; ++i) {
      at_write.store(extra_waiters.turns.load(std::memory_order_relaxed),
                     std::memory_order_relaxed);
      mine.write_all(std::span(&b, 1));
      until([&] { return at_write.load(std::memory_order_acquire) == 0; });
    }
    mine.close();
    reader.join();
    CHECK(median(between) < yielders / 2);
  }
}

// The one that computes had a turn of 10 ms after each of their steps.
TEST_CASE("two fibers that wait for each other are not kept waiting by a frozen one at each step") {
  if (no_preemption_here()) return;
  for (const std::size_t n : worker_counts) {
    CAPTURE(n);
    weft::runtime rt(workers(n));
    const hogs compute(rt, n);
    constexpr int rounds = 100;
    bool few = false;  // in some attempt: the machine may take the worker's CPU away for long
    for (int attempt = 0; attempt < 20 && !few; ++attempt) {
      std::uint64_t preempted = 0;
      rt.spawn([&] {
          weft::channel<int> there(0), back(0);
          auto echo = weft::spawn([&] {
            while (auto v = there.receive()) back.send(*v);
          });
          const std::uint64_t before = probe::preemptions(rt);
          for (int i = 0; i < rounds; ++i) {
            there.send(i);
            static_cast<void>(back.receive());
          }
          preempted = probe::preemptions(rt) - before;
          there.close();
          echo.join();
        }).join();
      few = preempted < rounds / 2;
    }
    CHECK(few);
  }
}

TEST_CASE("a frozen fiber has its turn beside fibers that ready each other for ever") {
  if (no_preemption_here()) return;
  for (const std::size_t n : worker_counts) {
    CAPTURE(n);
    weft::runtime rt(workers(n));
    std::atomic<bool> over{false}, done{false};
    weft::channel<int> c(0);
    std::vector<weft::fiber<void>> pairs;
    for (std::size_t i = 0; i < 2 * n; ++i) {
      pairs.push_back(rt.spawn([&] {
        while (c.receive()) continue;
      }));
      pairs.push_back(rt.spawn([&] {
        while (!over.load(std::memory_order_relaxed) && c.send(1)) continue;
      }));
    }
    // On one worker it is frozen after each slice of this; on more, nobody may wait for its
    // processor. Its thread's CPU time is its own: a frozen fiber stays on its thread.
    auto computes = rt.spawn([&] {
      const auto used = [] {
        timespec t{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
      };
      for (const auto end = used() + 100ms; used() < end;) continue;
      done.store(true, std::memory_order_relaxed);
    });
    until([&] { return done.load(std::memory_order_relaxed); });
    computes.join();
    over.store(true, std::memory_order_relaxed);
    c.close();
    for (auto& p : pairs) p.join();
  }
}

// What yields is not kept out either.
TEST_CASE("fibers that yield have their turns beside fibers that ready each other for ever") {
  weft::runtime rt(workers(1));
  std::atomic<bool> over{false};
  weft::channel<int> c(0);
  auto receiver = rt.spawn([&] {
    while (c.receive()) continue;
  });
  auto sender = rt.spawn([&] {
    while (!over.load(std::memory_order_relaxed)) c.send(1);
  });
  rt.spawn([] {
      for (int i = 0; i < 1000; ++i) weft::this_fiber::yield();
    }).join();
  over.store(true, std::memory_order_relaxed);
  sender.join();
  c.close();
  receiver.join();
}
