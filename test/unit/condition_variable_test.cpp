// SPDX-License-Identifier: BSL-1.0
// unit/condition_variable_test.cpp - as the standard library's own tests ask, on every kind of
// execution agent.
#include <weft/condition_variable.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <vector>

#include <weft/event.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/in_child.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

static_assert(sizeof(weft::condition_variable) <= 24);
constinit weft::condition_variable at_namespace_scope;

TEST_CASE("condition_variable [example]: a queue") {
  weft::run([] {
    weft::mutex lock;
    weft::condition_variable not_empty;
    std::deque<int> queue;  // under lock
    auto consumer = weft::spawn([&] {
      int sum = 0;
      for (int i = 0; i < 100; ++i) {
        std::unique_lock guard(lock);
        not_empty.wait(guard, [&] { return !queue.empty(); });
        sum += queue.front();
        queue.pop_front();
      }
      return sum;
    });
    for (int i = 0; i < 100; ++i) {
      {
        const std::lock_guard guard(lock);
        queue.push_back(i);
      }
      not_empty.notify_one();
    }
    CHECK(consumer.join() == 4950);
  });
}

TEST_CASE("condition_variable: times out, locked") {
  weft::mutex lock;
  weft::condition_variable never;
  std::unique_lock guard(lock);
  CHECK(never.wait_for(guard, 1ms) == std::cv_status::timeout);
  CHECK(guard.owns_lock());
  CHECK(never.wait_for(guard, 0ms) == std::cv_status::timeout);
  CHECK(never.wait_until(guard, std::chrono::system_clock::now() + 1ms) == std::cv_status::timeout);
  CHECK(!never.wait_for(guard, 1ms, [] { return false; }));
  CHECK(never.wait_for(guard, 1h, [] { return true; }));
  never.notify_one();
  never.notify_all();
  CHECK(never.wait_for(guard, 1ms) == std::cv_status::timeout);  // notifications are not kept
  weft::run([&] { CHECK(!lock.try_lock()); });
}

TEST_CASE("condition_variable: notify_one wakes one, the oldest; notify_all the rest") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::mutex lock;
    weft::condition_variable c;
    std::vector<int> order;
    std::vector<weft::fiber<void>> fibers;
    for (int i = 0; i < 10; ++i)
      fibers.push_back(weft::spawn([&, i] {
        std::unique_lock guard(lock);
        c.wait(guard);
        order.push_back(i);
      }));
    for (int i = 0; i < 3; ++i) weft::this_fiber::yield();
    for (std::size_t i = 0; i < 3; ++i) {
      c.notify_one();
      for (int y = 0; y < 3; ++y) weft::this_fiber::yield();
      REQUIRE(order.size() == i + 1);
      CHECK(order.back() == static_cast<int>(i));
    }
    c.notify_all();
    for (auto& f : fibers) f.join();
    CHECK(order.size() == 10);
  });
}

TEST_CASE("condition_variable: bounded buffer, nothing lost, nothing doubled") {
  on_all_agents([](agents& s) {
    weft::mutex lock;
    weft::condition_variable not_empty, not_full;
    std::deque<int> queue;
    long sum = 0;
    constexpr int producers = 4, each = 400, room = 3;
    for (int p = 0; p < producers; ++p) {
      s.start([&] {
        for (int i = 1; i <= each; ++i) {
          std::unique_lock guard(lock);
          not_full.wait(guard, [&] { return queue.size() < room; });
          queue.push_back(i);
          not_empty.notify_one();
        }
      });
      s.start([&] {
        for (int i = 0; i < each; ++i) {
          std::unique_lock guard(lock);
          while (!not_empty.wait_for(guard, 100us, [&] { return !queue.empty(); })) {
          }
          sum += queue.front();
          queue.pop_front();
          not_full.notify_one();
        }
      });
    }
    s.join();
    CHECK(sum == long{producers} * each * (each + 1) / 2);
  });
}

// CV-1: as many tokens as notifications; who times out must not take one along.
TEST_CASE("condition_variable: a waiter that times out does not swallow a notification") {
  on_all_agents([](agents& s) {
    weft::mutex lock;
    weft::condition_variable c;
    int tokens = 0, taken = 0;
    constexpr int n = 300;
    bool over = false;
    for (int i = 0; i < 3; ++i)
      s.start([&] {  // these time out all the time
        std::unique_lock guard(lock);
        while (!over) {
          c.wait_for(guard, 20us);
          if (tokens > 0) --tokens, ++taken;
        }
      });
    s.start([&] {  // this one never does
      std::unique_lock guard(lock);
      while (!over) {
        c.wait(guard);
        if (tokens > 0) --tokens, ++taken;
      }
    });
    s.start([&] {
      for (int i = 0; i < n; ++i) {
        {
          const std::lock_guard guard(lock);
          ++tokens;
        }
        c.notify_one();
        weft::this_fiber::yield();
      }
      const std::lock_guard guard(lock);
      over = true;
      c.notify_all();
    });
    s.join();
    CHECK(taken + tokens == n);
  });
}

TEST_CASE("condition_variable: a stop request ends the wait, locked") {
  on_all_agents([](agents& s) {
    weft::mutex lock;
    weft::condition_variable c;
    std::stop_source stop;
    weft::event all_wait;
    int waiting = 0, stopped = 0;
    constexpr int n = 12;
    for (int i = 0; i < n; ++i)
      s.start([&, i] {
        std::unique_lock guard(lock);
        if (++waiting == n) all_wait.set();
        const bool held = i % 2 == 0
                              ? c.wait(guard, stop.get_token(), [] { return false; })
                              : c.wait_for(guard, stop.get_token(), 1h, [] { return false; });
        CHECK(!held);
        CHECK(guard.owns_lock());
        ++stopped;
      });
    all_wait.wait();
    stop.request_stop();
    s.join();
    CHECK(stopped == n);
    std::unique_lock guard(lock);
    CHECK(!c.wait(guard, stop.get_token(), [] { return false; }));
    CHECK(c.wait(guard, stop.get_token(), [] { return true; }));
  });
}

TEST_CASE("condition_variable: request_stop of a fiber, by its own token") {
  weft::run([] {
    weft::mutex lock;
    weft::condition_variable c;
    auto f = weft::spawn([&] {
      std::unique_lock guard(lock);
      return c.wait(guard, weft::this_fiber::stop_token(), [] { return false; });
    });
    f.request_stop();
    CHECK(f.join() == false);
  });
}

TEST_CASE("condition_variable: what the condition throws comes out, locked") {
  weft::mutex lock;
  weft::condition_variable c;
  std::unique_lock guard(lock);
  CHECK_THROWS_AS(c.wait(guard, []() -> bool { throw 1; }), int);
  CHECK(guard.owns_lock());
}

TEST_CASE("condition_variable: any lock") {
  on_all_agents([](agents& s) {
    std::mutex os_lock;  // never held across a wait but by the wait itself
    weft::condition_variable_any c;
    bool go = false;
    s.start([&] {
      std::unique_lock guard(os_lock);
      c.wait(guard, [&] { return go; });
    });
    s.start([&] {
      const std::lock_guard guard(os_lock);
      go = true;
      c.notify_one();
    });
    s.join();
  });
}

TEST_CASE("condition_variable: may be destroyed once everybody was notified") {
  on_all_agents([](agents& s) {
    for (int round = 0; round < 50; ++round) {
      weft::mutex lock;
      auto c = std::make_unique<weft::condition_variable>();
      weft::event all_wait;
      bool go = false;
      int waiting = 0;
      for (int i = 0; i < 4; ++i)
        s.start([&, i] {
          std::unique_lock guard(lock);
          if (++waiting == 4) all_wait.set();
          weft::condition_variable& mine = *c;
          while (!go) {
            if (i % 2 == 0)
              mine.wait(guard);
            else
              mine.wait_for(guard, 1h);
          }
        });
      all_wait.wait();
      {
        const std::lock_guard guard(lock);
        go = true;
        c->notify_all();
        c.reset();
      }
      s.join();
    }
  });
}

#if !defined(NDEBUG) && !defined(__SANITIZE_THREAD__)
TEST_CASE("condition_variable: destruction while somebody waits says who") {
  const auto end = weft::test::in_child([] {
    weft::attributes named;
    named.name = "left alone";
    weft::run([&] {
      weft::mutex lock;
      bool waits = false;
      auto c = std::make_unique<weft::condition_variable>();
      auto f = weft::spawn(named, [&, c = c.get()] {
        std::unique_lock guard(lock);
        waits = true;
        c->wait(guard);
      });
      for (;;) {
        const std::lock_guard guard(lock);
        if (waits) break;
        weft::this_fiber::yield();
      }
      c.reset();
      f.join();
    });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("condition_variable 0x") != std::string::npos, end.errors);
  CHECK_MESSAGE(end.errors.find("\"left alone\"") != std::string::npos, end.errors);
}
#endif

TEST_CASE("condition_variable: an unlock that throws leaves no waiter behind") {
  on_all_agents([](agents& a) {
    weft::mutex m;
    weft::condition_variable cv;
    const auto waits_unlocked = [&] {
      std::unique_lock lock(m, std::defer_lock);
      CHECK_THROWS_AS(cv.wait(lock), std::system_error);
    };
    waits_unlocked();
    cv.notify_all();
    std::atomic<bool> told{false};
    a.start([&] {
      std::unique_lock lock(m);
      cv.wait(lock, [&] { return told.load(); });
    });
    waits_unlocked();  // before or behind it
    {
      const std::lock_guard lock(m);
      told = true;
    }
    cv.notify_one();
    a.join();
  });
}
