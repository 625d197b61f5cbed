// SPDX-License-Identifier: BSL-1.0
// unit/mutex_test.cpp - exclusion, timed forms, fairness, and the reports of builds with
// assertions.
#include <weft/mutex.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <weft/event.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/descriptors.hpp"
#include "support/in_child.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::in_child;
using weft::test::is_parked;
using weft::test::on_all_agents;
using weft::test::until;

static_assert(sizeof(weft::mutex) <= 40);
constinit weft::mutex at_namespace_scope;

TEST_CASE("mutex [example]: guards a map") {
  weft::run([] {
    weft::mutex lock;
    std::map<std::string, int> count;  // under lock
    std::vector<weft::fiber<void>> fibers;
    for (int i = 0; i < 100; ++i)
      fibers.push_back(weft::spawn([&, word = i % 2 == 0 ? "even" : "odd"] {
        const std::lock_guard guard(lock);
        ++count[word];
      }));
    for (auto& f : fibers) f.join();
    CHECK(count["even"] == 50);
    CHECK(count["odd"] == 50);
  });
}

TEST_CASE("mutex: std::unique_lock, try_lock, scoped_lock") {
  weft::mutex a, b;
  {
    std::unique_lock guard(a, std::try_to_lock);
    CHECK(guard.owns_lock());
    weft::run([&] {
      CHECK(!a.try_lock());
      CHECK(!a.try_lock_for(1ms));
      CHECK(!a.try_lock_until(std::chrono::steady_clock::now()));
      CHECK(!a.try_lock_until(std::chrono::system_clock::now() + 1ms));
    });
  }
  {
    const std::scoped_lock guard(a, b);
    weft::run([&] { CHECK(!b.try_lock()); });
  }
  CHECK(b.try_lock_for(1s));
  b.unlock();
}

TEST_CASE("mutex: one at a time, on every kind of agent") {
  on_all_agents([](agents& s) {
    weft::mutex lock;
    long plain = 0;
    bool inside = false;
    constexpr int n = 12, rounds = 3000;
    for (int i = 0; i < n; ++i)
      s.start([&, i] {
        for (int r = 0; r < rounds; ++r) {
          const std::lock_guard guard(lock);
          CHECK(!inside);
          inside = true;
          ++plain;
          if (r % 64 == i) weft::this_fiber::yield();
          inside = false;
        }
      });
    s.join();
    CHECK(plain == long{n} * rounds);
  });
}

TEST_CASE("mutex: timed locks come and go, none is lost") {
  on_all_agents([](agents& s) {
    weft::mutex lock;
    long plain = 0;
    std::atomic<long> locked{0};
    for (int i = 0; i < 8; ++i)
      s.start([&, i] {
        for (int r = 0; r < 300; ++r) {
          if (i % 2 == 0) {
            lock.lock();
          } else if (!lock.try_lock_for(std::chrono::microseconds(r % 80))) {
            continue;
          }
          ++plain;
          locked.fetch_add(1, std::memory_order_relaxed);
          if (r % 10 == 0) weft::this_fiber::yield();
          lock.unlock();
        }
      });
    s.join();
    CHECK(plain == locked.load(std::memory_order_relaxed));
    CHECK(lock.try_lock());
    lock.unlock();
  });
}

TEST_CASE("mutex: the last to lock may destroy it after the unlock") {
  on_all_agents([](agents& s) {
    struct counted {
      weft::mutex lock;
      int references = 0;
    };
    for (int round = 0; round < 200; ++round) {
      auto* c = new counted;
      constexpr int n = 4;
      c->references = n;
      for (int i = 0; i < n; ++i)
        s.start([c] {
          c->lock.lock();
          const bool last = --c->references == 0;
          c->lock.unlock();
          if (last) delete c;
        });
      s.join();
    }
  });
}

// One execution agent takes the mutex again the moment it lets go, and holds it nearly all the
// time. The other gets its turns all the same: with barging alone it might never.
TEST_CASE("mutex: no_starvation") {
  for (const auto kind : {agents::kind::one_worker, agents::kind::two_workers,
                          agents::kind::threads, agents::kind::mixed}) {
    CAPTURE(agents::name(kind));
    agents s(kind);
    weft::mutex lock;
    std::atomic<bool> stop{false};
    for (int i = 0; i < 2; ++i)
      s.start([&] {
        while (!stop.load(std::memory_order_relaxed)) {
          const std::lock_guard guard(lock);
          weft::this_fiber::sleep_for(100us);
        }
      });
    s.start([&] {
      for (int i = 0; i < 20; ++i) {
        const std::lock_guard guard(lock);
        weft::this_fiber::yield();
      }
      stop.store(true, std::memory_order_relaxed);
    });
    s.join();
    CHECK(stop.load(std::memory_order_relaxed));
  }
}

// MUTEX-4: those who have waited longer than the patience are served in the order they came, nobody
// between them.
TEST_CASE("mutex: patient waiters are served first in, first out") {
  weft::options o;
  o.workers = 1;
  o.time_slice = 0ms;  // each goes on until it waits
  o.retake = false;
  weft::run(o, [] {
    weft::mutex lock;
    std::vector<int> order;
    std::vector<weft::fiber<void>> fibers;
    lock.lock();
    for (int i = 0; i < 20; ++i)
      fibers.push_back(weft::spawn([&, i] {
        const std::lock_guard guard(lock);
        order.push_back(i);
      }));
    for (auto& f : fibers) until([&] { return is_parked(f); });
    weft::this_fiber::sleep_for(5ms);  // longer than the patience
    lock.unlock();
    CHECK(!lock.try_lock());  // given away
    for (auto& f : fibers) f.join();
    for (int i = 0; i < 20; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  });
}

#if !defined(NDEBUG) && !defined(__SANITIZE_THREAD__)
// With external linkage and frames of their own: the reports name them.
[[gnu::noinline]] void lock_deep(weft::mutex& m) {
  m.lock();
  asm volatile("");
}
[[gnu::noinline]] void lock_deeper(weft::mutex& m) {
  lock_deep(m);
  asm volatile("");
}
[[gnu::noinline]] void unlock_elsewhere(weft::mutex& m) {
  m.unlock();
  asm volatile("");
}

// std::lock holds one and tries the other. If every unlock handed its mutex to a waiter, each of
// the two would always belong to a fiber that has not run yet, and nobody ever got both.
struct slowly_tried {  // so that a round of all of them is longer than a waiter's patience
  weft::mutex& m;
  void lock() { m.lock(); }
  void unlock() { m.unlock(); }
  bool try_lock() {
    const auto until = std::chrono::steady_clock::now() + 10us;
    while (std::chrono::steady_clock::now() < until) continue;
    return m.try_lock();
  }
};

TEST_CASE("mutex: fibers that lock two at once get on, however long they have waited") {
  weft::options one;
  one.workers = 1;
  int done = 0;
  weft::run(one, [&] {
    weft::mutex a, b;
    std::unique_lock first(a), second(b);
    std::vector<weft::fiber<void>> fibers;
    for (int i = 0; i < 1000; ++i)
      fibers.push_back(weft::spawn([&, i] {
        slowly_tried one{i % 2 == 0 ? a : b}, other{i % 2 == 0 ? b : a};
        for (int k = 0; k < 10; ++k) {
          std::lock(one, other);
          ++done;
          one.unlock();
          other.unlock();
        }
      }));
    weft::this_fiber::sleep_for(5ms);  // beyond everybody's patience
    first.unlock();
    second.unlock();
    for (auto& f : fibers) f.join();
  });
  CHECK(done == 10'000);
}

TEST_CASE("mutex: both sides of a misuse are shown with the calls that led there") {
  const auto stranger = in_child([] {
    weft::run([] {
      weft::mutex lock;
      weft::event locked, never;
      auto a = weft::spawn([&] {
        lock_deeper(lock);
        locked.set();
        never.wait();
      });
      auto b = weft::spawn([&] {
        locked.wait();
        unlock_elsewhere(lock);
      });
      b.join();
      a.join();
    });
    return 0;
  });
  const auto again = in_child([] {
    weft::mutex lock;  // a plain thread's stack
    lock_deeper(lock);
    lock_deep(lock);
    return 0;
  });
  CHECK(stranger.signal == SIGABRT);
  CHECK(again.signal == SIGABRT);
  for (const std::string* text : {&stranger.errors, &again.errors}) {
    const auto owners = text->find("locked it");
    REQUIRE_MESSAGE(owners != std::string::npos, *text);
    CHECK_MESSAGE(text->find("lock_deep(", owners) != std::string::npos, *text);
    CHECK_MESSAGE(text->find("lock_deeper(", owners) != std::string::npos, *text);
  }
  CHECK_MESSAGE(
      stranger.errors.substr(0, stranger.errors.find("locked it by")).find("unlock_elsewhere(") !=
          std::string::npos,
      stranger.errors);
}

TEST_CASE("mutex: a second lock by the owner is reported") {
  const auto end = in_child([] {
    weft::attributes named;
    named.name = "greedy";
    weft::run([&] {
      weft::spawn(named, [] {
        weft::mutex lock;
        lock.lock();
        lock.lock();
      }).join();
    });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("\"greedy\" locks the mutex at") != std::string::npos, end.errors);
  CHECK_MESSAGE(end.errors.find("which it has locked already") != std::string::npos, end.errors);
}

TEST_CASE("mutex: an unlock by a stranger is reported, both are named") {
  const auto end = in_child([] {
    weft::attributes owner, stranger;
    owner.name = "owner";
    stranger.name = "stranger";
    weft::run([&] {
      weft::mutex lock;
      weft::event locked, never;
      auto a = weft::spawn(owner, [&] {
        lock.lock();
        locked.set();
        never.wait();
      });
      auto b = weft::spawn(stranger, [&] {
        locked.wait();
        lock.unlock();
      });
      b.join();
      a.join();
    });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("\"stranger\" unlocks the mutex at") != std::string::npos,
                end.errors);
  CHECK_MESSAGE(end.errors.find("\"owner\" has locked") != std::string::npos, end.errors);
}

TEST_CASE("mutex: unlock of a free one, and destruction of a locked one, are reported") {
  auto end = in_child([] {
    weft::mutex lock;
    lock.unlock();
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("which nobody has locked") != std::string::npos, end.errors);
  end = in_child([] {
    weft::mutex lock;
    lock.lock();
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("is destroyed while thread") != std::string::npos, end.errors);
}

TEST_CASE("mutex: destruction while somebody waits says who") {
  const auto end = in_child([] {
    weft::attributes named;
    named.name = "patient";
    weft::options o;
    o.workers = 1;
    weft::run(o, [&] {
      auto lock = std::make_unique<weft::mutex>();
      lock->lock();
      auto f = weft::spawn(named, [&, l = lock.get()] { l->lock(); });
      weft::this_fiber::yield();
      weft::this_fiber::yield();
      lock.reset();
      f.join();
    });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("destroyed while somebody waits for it") != std::string::npos,
                end.errors);
  CHECK_MESSAGE(end.errors.find("\"patient\"") != std::string::npos, end.errors);
}
#endif
