// SPDX-License-Identifier: BSL-1.0
// A runtime has ended, and one of its fibers still stands in the queue of something that others go
// on using: it takes nothing, keeps nobody behind it waiting, and who joins it is told.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "os/os.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

weft::options impatient() {
  weft::options o;
  o.workers = 1;
  o.name = "gone";
  o.shutdown_timeout = 0ms;
  return o;
}

/// A runtime begins and ends meanwhile; its only fiber stays in wait().
template <class Wait>
void leave_behind(Wait wait) {
  weft::runtime rt(impatient());
  rt.spawn(wait).detach();
  until([&] { return metrics(rt).waiting == 1; });
  REQUIRE(rt.shutdown() == 1);
}

/// A second waiter, alive, is in the queue behind it; then act() gives to one.
template <class Wait, class Act>
void next_one_gets_it(Wait wait, Act act) {
  leave_behind([&] { wait(); });
  weft::options o;
  o.workers = 1;
  with_runtime(o, [&](weft::runtime& rt) {
    auto living = rt.spawn([&] { wait(); });
    until([&] { return metrics(rt).waiting == 1; });
    rt.spawn([&] { act(); }).join();
    living.join();
  });
}

}  // namespace

TEST_CASE("a channel: no value goes to who was left behind, none is taken from it") {
  weft::channel<int> c(0);
  leave_behind([&] { static_cast<void>(c.receive()); });
  CHECK_FALSE(c.try_send(1));
  leave_behind([&] { weft::select(weft::on_receive(c, [](auto) {})); });
  CHECK_FALSE(c.try_send(2));
  weft::options o;
  with_runtime(o, [&](weft::runtime& rt) {
    auto living = rt.spawn([&] { return c.receive().value(); });
    CHECK(c.send(3));
    CHECK(living.join() == 3);
  });
  weft::channel<int> d(0);
  leave_behind([&] { static_cast<void>(d.send(1)); });
  leave_behind([&] { weft::select(weft::on_send(d, 2, [](bool) {})); });
  CHECK_FALSE(d.try_receive());
  weft::channel<int> full(1);
  REQUIRE(full.send(4));
  leave_behind([&] { static_cast<void>(full.send(5)); });
  CHECK(full.receive() == 4);
  CHECK_FALSE(full.try_receive());
  leave_behind([&] { static_cast<void>(full.receive()); });
  full.close();
  CHECK_FALSE(full.receive());
}

TEST_CASE("a semaphore: the permit stays, or goes to the next one") {
  weft::counting_semaphore<> s(0);
  leave_behind([&] { s.acquire(); });
  s.release();
  CHECK(s.try_acquire());
  next_one_gets_it([&] { s.acquire(); }, [&] { s.release(); });
  CHECK_FALSE(s.try_acquire());
}

TEST_CASE_TEMPLATE("a mutex is not given to it", Mutex, weft::mutex, weft::timed_mutex,
                   weft::recursive_mutex) {
  Mutex m;
  m.lock();
  leave_behind([&] { const std::lock_guard guard(m); });
  std::this_thread::sleep_for(2ms);  // beyond the patience of a waiter, who then is given it
  m.unlock();
  REQUIRE(m.try_lock());
  leave_behind([&] { const std::lock_guard guard(m); });
  std::thread living([&] { const std::lock_guard guard(m); });
  m.unlock();
  living.join();
}

TEST_CASE(
    "a mutex: one that was woken for it, or given it, and had no turn any more passes it on") {
  // an impatient waiter is given the mutex, another one only woken
  for (const auto waited : {0ms, 50ms}) {
    weft::mutex m;
    weft::runtime rt(impatient());
    std::atomic<bool> has_unlocked{false}, end{false};
    auto hog = rt.spawn({.preemptible = false}, [&] {
      m.lock();
      rt.spawn([&] { const std::lock_guard hold(m); }).detach();
      while (metrics(rt).waiting == 0) weft::this_fiber::yield();
      const auto begin = std::chrono::steady_clock::now();
      while (std::chrono::steady_clock::now() - begin < waited) {
      }
      m.unlock();
      has_unlocked = true;
      while (!end) {
      }
    });
    until([&] { return has_unlocked.load(); });
    CHECK(rt.shutdown() == 2);
    REQUIRE(m.try_lock_for(20s));
    with_runtime(weft::options{}, [&](weft::runtime& living) {
      auto next = living.spawn([&] {
        const bool got = m.try_lock_for(20s);
        if (got) m.unlock();
        return got;
      });
      until([&] { return metrics(living).waiting == 1; });
      m.unlock();
      CHECK(next.join());
    });
    end = true;
    until([&] {
      try {
        return hog.join_for(0s);
      } catch (const std::system_error&) {  // it has not ended yet
        return false;
      }
    });
  }
}

TEST_CASE("a shared_mutex: neither as a writer nor as a reader") {
  weft::shared_mutex m;
  m.lock();
  leave_behind([&] { const std::lock_guard guard(m); });
  leave_behind([&] { const std::shared_lock guard(m); });
  std::thread reader([&] { const std::shared_lock guard(m); });
  m.unlock();
  reader.join();
  m.lock_shared();
  leave_behind([&] { const std::lock_guard guard(m); });
  m.unlock_shared();
  const std::lock_guard guard(m);
}

TEST_CASE("a condition variable: a notification reaches the living") {
  weft::mutex m;
  weft::condition_variable cv;
  bool told = false;  // under m
  next_one_gets_it(
      [&] {
        std::unique_lock guard(m);
        cv.wait(guard, [&] { return told; });
      },
      [&] {
        {
          const std::lock_guard guard(m);
          told = true;
        }
        cv.notify_one();
      });
}

TEST_CASE("events, latches, barriers, wait groups and call_once go on") {
  weft::event happened;
  next_one_gets_it([&] { happened.wait(); }, [&] { happened.set(); });
  weft::latch latch(1);
  next_one_gets_it([&] { latch.wait(); }, [&] { latch.count_down(); });
  weft::wait_group group;
  group.add(1);
  next_one_gets_it([&] { group.wait(); }, [&] { group.done(); });
  weft::barrier<> barrier(3);
  next_one_gets_it([&] { barrier.arrive_and_wait(); }, [&] { barrier.arrive_and_wait(); });

  weft::once_flag once;
  std::atomic<bool> begun{false}, go_on{false};
  std::thread first([&] {
    weft::call_once(once, [&] {
      begun = true;
      until([&] { return go_on.load(); });
    });
  });
  until([&] { return begun.load(); });
  leave_behind([&] { weft::call_once(once, [] {}); });
  go_on = true;
  weft::call_once(once, [] {});
  first.join();
}

TEST_CASE("call_once: if the call fails, a living waiter tries next") {
  weft::once_flag once;
  std::atomic<bool> begun{false}, go_on{false};
  const auto fails = [&] {
    begun = true;
    until([&] { return go_on.load(); });
    throw std::runtime_error("once");
  };
  std::thread first([&] { CHECK_THROWS_AS(weft::call_once(once, fails), std::runtime_error); });
  until([&] { return begun.load(); });
  leave_behind([&] { weft::call_once(once, [] {}); });
  weft::options o;
  o.workers = 1;
  with_runtime(o, [&](weft::runtime& rt) {
    int calls = 0;
    auto living = rt.spawn([&] { weft::call_once(once, [&] { ++calls; }); });
    until([&] { return metrics(rt).waiting == 1; });
    go_on = true;
    living.join();
    CHECK(calls == 1);
  });
  first.join();
}

TEST_CASE("a weighted semaphore: permits go past it, to waiters and to new callers") {
  weft::weighted_semaphore permits(2);
  permits.acquire(2);
  leave_behind([&] { permits.acquire(2); });
  weft::options o;
  o.workers = 1;
  with_runtime(o, [&](weft::runtime& rt) {
    auto living = rt.spawn([&] { permits.acquire(1); });
    until([&] { return metrics(rt).waiting == 1; });
    permits.release(2);
    living.join();
  });
  CHECK(permits.available() == 1);
  leave_behind([&] { permits.acquire(2); });
  leave_behind([&] { static_cast<void>(permits.try_acquire_for(2, 1h)); });
  CHECK(permits.try_acquire(1));
  permits.release(1);
  permits.acquire(1);
  permits.release(2);
  CHECK(permits.available() == 2);
}

TEST_CASE("timers, tickers and rate limiters go on") {
  weft::timer timer(1h);
  leave_behind([&] { timer.wait(); });
  weft::ticker ticker(1ms);
  // It would be woken for the next tick. Longer than the test: its own deadline is not what ends
  // its wait.
  weft::rate_limiter limit(0.001, 1);
  REQUIRE(limit.try_acquire());
  leave_behind([&] { limit.acquire(); });
  weft::options o;
  with_runtime(o, [&](weft::runtime& rt) {
    rt.spawn([&] {
        CHECK(ticker.wait());
        timer.reset(1ms);
        CHECK(timer.wait());
        CHECK_FALSE(limit.try_acquire());
      }).join();
  });
}

namespace {
template <class F>
std::error_code code_of(F&& f) {
  try {
    f();
  } catch (const std::system_error& e) {
    return e.code();
  }
  return {};
}
}  // namespace

TEST_CASE("a join of one that was left behind fails, before and after, in every form") {
  weft::channel<int> never(0);
  weft::runtime living;
  weft::runtime rt(impatient());
  const auto wait = [&] { static_cast<void>(never.receive()); };
  std::vector<weft::fiber<void>> left;
  for (int i = 0; i < 6; ++i) left.push_back(rt.spawn(wait));
  weft::fiber<int> with_result = rt.spawn([&] { return never.receive().value(); });
  until([&] { return metrics(rt).waiting == 7; });
  auto early = living.spawn([&] { return code_of([&] { left[0].join(); }); });
  auto early_timed =
      living.spawn([&] { return code_of([&] { static_cast<void>(left[1].join_for(1h)); }); });
  auto selecting = living.spawn([&] {
    weft::select(weft::on_join(left[2], [] {}));
    return code_of([&] { left[2].join(); });
  });
  std::error_code of_thread;
  std::thread thread([&] { of_thread = code_of([&] { left[3].join(); }); });
  until([&] { return metrics(living).waiting == 3; });
  CHECK(rt.shutdown() == 7);
  thread.join();
  CHECK(early.join() == std::errc::no_such_process);
  CHECK(early_timed.join() == std::errc::no_such_process);
  CHECK(selecting.join() == std::errc::no_such_process);
  CHECK(of_thread == std::errc::no_such_process);
  CHECK(code_of([&] { left[4].join(); }) == std::errc::no_such_process);
  CHECK(code_of([&] { static_cast<void>(left[5].join_for(0s)); }) == std::errc::no_such_process);
  CHECK(code_of([&] { static_cast<void>(with_result.join()); }) == std::errc::no_such_process);
  CHECK(living.spawn([&] { return code_of([&] { static_cast<void>(with_result.join()); }); })
            .join() == std::errc::no_such_process);
  CHECK(with_result.joinable());
  with_result.detach();
  left.clear();
}

TEST_CASE(
    "one that was in user code at the end takes nothing when it waits later, and its join succeeds "
    "if it ends") {
  weft::channel<int> c(0);
  std::atomic<int> begun{0};
  std::atomic<bool> go_on{false};
  std::atomic<pid_t> waiting_thread{0}, ending_thread{0};
  const auto has_ended = [](pid_t thread) {
    std::error_code ignored;
    return !std::filesystem::exists("/proc/self/task/" + std::to_string(thread), ignored);
  };
  weft::runtime rt([] {
    weft::options o = impatient();
    o.workers = 2;
    return o;
  }());
  const auto busy = [&](std::atomic<pid_t>& thread) {
    thread = weft::os::thread_id();
    ++begun;
    while (!go_on) std::this_thread::yield();
  };
  auto waits = rt.spawn([&] {
    busy(waiting_thread);
    static_cast<void>(c.receive());
  });
  auto ends = rt.spawn([&] {
    busy(ending_thread);
    return 7;
  });
  until([&] { return begun == 2; });
  CHECK(rt.shutdown() == 2);
  CHECK(code_of([&] { waits.join(); }) == std::errc::no_such_process);
  CHECK_FALSE(has_ended(waiting_thread));
  go_on = true;
  // `ends` is over when the word says so; until then its join fails.
  until(
      [&] { return code_of([&] { static_cast<void>(ends.join_for(0s)); }) == std::error_code(); });
  CHECK(ends.join() == 7);
  // A thread that was left ends after its fiber has parked, and takes that wait back.
  until([&] { return has_ended(waiting_thread) && has_ended(ending_thread); });
  CHECK_FALSE(c.try_send(2));
  // does not look at what those of the other tests waited for: it is gone
  static_cast<void>(weft::debug::dump_fibers());
}
