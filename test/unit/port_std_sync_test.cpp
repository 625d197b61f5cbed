// SPDX-License-Identifier: BSL-1.0
// unit/port_std_sync_test.cpp - the same of condition variables, semaphores, latch, barrier and
// call_once.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <vector>

#include <weft/barrier.hpp>
#include <weft/condition_variable.hpp>
#include <weft/latch.hpp>
#include <weft/mutex.hpp>
#include <weft/once.hpp>
#include <weft/semaphore.hpp>
#include <weft/shared_mutex.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

namespace {

struct slow_clock {  // a third of the speed
  using duration = std::chrono::steady_clock::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<slow_clock>;
  [[maybe_unused]] static constexpr bool is_steady = true;
  static time_point now() {
    return time_point(std::chrono::steady_clock::now().time_since_epoch() / 3);
  }
};

static_assert(!std::is_copy_constructible_v<weft::condition_variable_any>);
static_assert(!std::is_copy_constructible_v<weft::latch> &&
              !std::is_default_constructible_v<weft::latch>);
static_assert(!std::is_convertible_v<std::ptrdiff_t, weft::latch>);
static_assert(weft::latch::max() > 1'000'000);
static_assert(weft::counting_semaphore<5>::max() >= 5 && weft::binary_semaphore::max() >= 1);
static_assert(std::is_default_constructible_v<weft::once_flag> &&
              !std::is_copy_constructible_v<weft::once_flag>);
constinit weft::counting_semaphore<> global_semaphore(3);
constinit weft::once_flag global_flag;

}  // namespace

TEST_CASE(
    "port std: condition_variable: notify_one, notify_all, predicates, each with its lock held "
    "after") {
  on_all_agents([](agents& s) {
    weft::condition_variable cv;
    weft::mutex m;
    int ready = 0, through = 0;
    constexpr int waiting = 5;
    for (int i = 0; i < waiting; ++i)
      s.start([&] {
        std::unique_lock lock(m);
        cv.wait(lock, [&] { return ready > 0; });
        CHECK(lock.owns_lock());
        --ready;
        ++through;
      });
    s.start([&] {
      for (int i = 0; i < 3; ++i) {
        const std::lock_guard g(m);
        ++ready;
        cv.notify_one();
      }
      std::unique_lock lock(m);
      ready += waiting - 3;
      lock.unlock();
      cv.notify_all();
    });
    s.join();
    CHECK(through == waiting);
    CHECK(ready == 0);
  });
}

TEST_CASE(
    "port std: condition_variable: wait_for and wait_until say whether the time is over, on any "
    "clock") {
  on_all_agents([](agents& s) {
    weft::condition_variable cv;
    weft::mutex m;
    s.start([&] {
      std::unique_lock lock(m);
      auto until = std::chrono::steady_clock::now() + 3ms;
      while (cv.wait_until(lock, until) != std::cv_status::timeout) {
      }
      CHECK(std::chrono::steady_clock::now() >= until);
      CHECK(cv.wait_for(lock, -1s) == std::cv_status::timeout);
      CHECK(!cv.wait_for(lock, 1ms, [] { return false; }));
      CHECK(cv.wait_for(lock, -1h, [] { return true; }));
      const auto slow = slow_clock::now() + 2ms;
      CHECK(!cv.wait_until(lock, slow, [] { return false; }));
      CHECK(slow_clock::now() >= slow);
      while (cv.wait_until(lock, slow + 1ms) != std::cv_status::timeout) {
      }
      CHECK(slow_clock::now() >= slow + 1ms);
      CHECK(lock.owns_lock());
    });
    s.join();
  });
}

TEST_CASE(
    "port std: condition_variable_any takes any lock; a stop request ends its wait with the "
    "predicate's value") {
  on_all_agents([](agents& s) {
    weft::condition_variable_any cv;
    weft::shared_mutex m;
    std::stop_source stop;
    bool ready = false;
    std::atomic<int> in{0};
    std::string ends[4];
    const auto say = [](bool b) { return b ? "true" : "false"; };
    s.start([&] {
      std::shared_lock lock(m);
      ++in;
      ends[0] = say(cv.wait(lock, stop.get_token(), [&] { return ready; }));
    });
    s.start([&] {
      std::shared_lock lock(m);
      ++in;
      ends[1] = say(cv.wait_for(lock, stop.get_token(), 1h, [&] { return ready; }));
    });
    s.start([&] {
      std::unique_lock lock(m);
      ++in;
      ends[2] =
          say(cv.wait_until(lock, stop.get_token(), slow_clock::now() + 1h, [&] { return false; }));
      CHECK(lock.owns_lock());
    });
    s.start([&] {
      std::unique_lock lock(m);
      ++in;
      const auto slow = slow_clock::now() + 2ms;
      // time, or the stop
      ends[3] = say(cv.wait_until(lock, stop.get_token(), slow, [&] { return false; }));
      CHECK((slow_clock::now() >= slow || stop.stop_requested()));
    });
    s.start([&] {
      weft::test::until([&] { return in == 4; });
      stop.request_stop();
    });
    s.join();
    for (const auto& e : ends) CHECK(e == "false");
    std::unique_lock lock(m);
    ready = true;
    // true at once, stopped or not
    CHECK(cv.wait(lock, stop.get_token(), [&] { return ready; }));
    CHECK(!cv.wait(lock, stop.get_token(), [&] { return !ready; }));  // stopped before: at once
    CHECK(!cv.wait_for(lock, std::stop_token(), 1ms, [&] { return !ready; }));
  });
}

TEST_CASE(
    "port std: a stop callback that runs while the waiter leaves; the token outlives nothing") {
  on_all_agents([](agents& s) {
    for (int round = 0; round < 50; ++round) {
      weft::condition_variable_any cv;
      weft::mutex m;
      std::stop_source stop;
      bool flag = false;
      s.start([&] {
        std::unique_lock lock(m);
        cv.wait(lock, stop.get_token(), [&] { return flag; });
      });
      s.start([&] { stop.request_stop(); });
      s.start([&] {
        {
          const std::lock_guard g(m);
          flag = true;
        }
        cv.notify_all();
      });
      s.join();
    }
  });
}

TEST_CASE("port std: semaphores count, time out and hand over") {
  on_all_agents([](agents& s) {
    weft::counting_semaphore<> c(3);
    weft::binary_semaphore b(1);
    s.start([&] {
      CHECK(c.try_acquire());
      CHECK(c.try_acquire());
      CHECK(c.try_acquire());
      CHECK(!c.try_acquire());
      c.release(2);
      c.acquire();
      c.acquire();
      b.acquire();
      CHECK(!b.try_acquire_for(1ms));
      const auto slow = slow_clock::now() + 2ms;
      CHECK(!b.try_acquire_until(slow));
      CHECK(slow_clock::now() >= slow);
      b.release();
      CHECK(b.try_acquire_until(std::chrono::system_clock::now() - 1h));
    });
    s.join();
    // Ping-pong: each release lets exactly one through.
    weft::binary_semaphore ping(0), pong(0);
    int turns = 0;
    s.start([&] {
      for (int i = 0; i < 300; ++i) ping.acquire(), ++turns, pong.release();
    });
    s.start([&] {
      for (int i = 0; i < 300; ++i) ping.release(), pong.acquire();
    });
    s.join();
    CHECK(turns == 300);
  });
}

TEST_CASE(
    "port std: latch: arrive_and_wait, count_down by several, a const one can be waited for") {
  on_all_agents([](agents& s) {
    weft::latch start(3), done(4);
    const weft::latch& seen = done;
    std::atomic<int> before{0};
    for (int i = 0; i < 3; ++i)
      s.start([&] {
        ++before;
        start.arrive_and_wait();
        CHECK(before == 3);
        done.count_down();
      });
    s.start([&] {
      done.count_down(1);
      seen.wait();
      CHECK(seen.try_wait());
    });
    s.join();
    weft::latch zero(0);
    zero.wait();
    CHECK(zero.try_wait());
  });
}

TEST_CASE("port std: barrier: phases, completion before anybody leaves, arrive with tokens, drop") {
  on_all_agents([](agents& s) {
    constexpr int parties = 3, phases = 40;
    int completed = 0, work[parties] = {};
    auto all_equal = [&]() noexcept {
      ++completed;
      for (const int w : work)
        if (w != completed) std::terminate();
    };
    weft::barrier b(parties, all_equal);
    for (int p = 0; p < parties; ++p)
      s.start([&, p] {
        for (int i = 0; i < phases; ++i) {
          ++work[p];
          if (i % 2 == 0) {
            b.arrive_and_wait();
          } else {
            auto token = b.arrive();
            b.wait(std::move(token));
          }
          CHECK(completed >= i + 1);
        }
      });
    s.join();
    CHECK(completed == phases);
    weft::barrier<> dropping(2);
    s.start([&] { dropping.arrive_and_drop(); });
    s.start([&] {
      dropping.arrive_and_wait();
      dropping.arrive_and_wait();  // alone now
    });
    s.join();
  });
}

TEST_CASE(
    "port std: call_once: once, its arguments, its exceptions, from within another, and many at "
    "once") {
  on_all_agents([](agents& s) {
    weft::once_flag flag;
    std::atomic<int> calls{0}, thrown{0}, after{0};
    for (int i = 0; i < 6; ++i)
      s.start([&] {
        try {
          weft::call_once(flag, [&] {
            weft::this_fiber::yield();
            if (++calls < 3) throw std::runtime_error("not yet");
          });
          CHECK(calls == 3);
          ++after;
        } catch (const std::runtime_error& e) {
          CHECK(std::string(e.what()) == "not yet");
          ++thrown;
        }
      });
    s.join();
    CHECK(calls == 3);
    CHECK(thrown == 2);
    CHECK(after == 4);
  });
  struct target {
    int value = 0;
    void set(int v, std::unique_ptr<int> more) { value = v + *more; }
  } t;
  weft::once_flag member, outer, inner;
  weft::call_once(member, &target::set, t, 3, std::make_unique<int>(4));
  CHECK(t.value == 7);
  weft::call_once(member, &target::set, &t, 5, std::make_unique<int>(6));
  CHECK(t.value == 7);
  int order = 0;
  weft::call_once(outer, [&] { weft::call_once(inner, [&] { order = 1; }); });
  CHECK(order == 1);
}

TEST_CASE("port std: sleep_until on a clock that runs slower") {
  weft::test::each_fiber([] {
    const auto t = slow_clock::now() + 2ms;
    weft::this_fiber::sleep_until(t);
    CHECK(slow_clock::now() >= t);
  });
}

TEST_CASE(
    "port std: a time beyond the clock's range is for ever, a negative one is over, whatever its "
    "unit") {
  on_all_agents([](agents& s) {
    weft::mutex lock;
    weft::condition_variable cv;
    weft::counting_semaphore<> permits(0);
    weft::latch gate(1);
    weft::mutex held;
    bool ready = false;
    const auto by_hours = std::chrono::hours::max();
    const auto by_double = std::chrono::duration<double>(1e300);
    held.lock();
    s.start([&] {
      std::unique_lock guard(lock);
      CHECK(cv.wait_for(guard, by_hours, [&] { return ready; }));
      CHECK(cv.wait_until(guard, std::chrono::system_clock::time_point::max(),
                          [&] { return ready; }));
    });
    s.start([&] {
      std::unique_lock guard(lock);
      CHECK(cv.wait_for(guard, by_double, [&] { return ready; }));
    });
    s.start(
        [&] { CHECK((permits.try_acquire_for(by_hours) && permits.try_acquire_for(by_double))); });
    s.start([&] {
      CHECK((gate.wait_for(by_double) &&
             gate.wait_until(std::chrono::steady_clock::time_point::max())));
    });
    s.start([&] {
      CHECK(!held.try_lock_for(std::chrono::hours::min()));
      CHECK(!held.try_lock_for(std::chrono::duration<float, std::micro>(0.5F)));
      CHECK(!held.try_lock_until(std::chrono::system_clock::time_point::min()));
      std::unique_lock guard(lock);
      CHECK(cv.wait_for(guard, -1h) == std::cv_status::timeout);
      ready = true;
      guard.unlock();
      cv.notify_all();
      permits.release(2);
      gate.count_down();
    });
    s.join();
    held.unlock();
  });
}
