// SPDX-License-Identifier: BSL-1.0
// unit/semaphore_test.cpp - permits: never too many, never lost, in order.
#include <weft/semaphore.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stop_token>
#include <vector>

#include <weft/event.hpp>
#include <weft/metrics.hpp>
#include <weft/runtime.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/in_child.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

static_assert(weft::binary_semaphore::max() == 1);
static_assert(sizeof(weft::binary_semaphore) <= 24);
constinit weft::counting_semaphore<> at_namespace_scope(1);

TEST_CASE("semaphore [example]: at most ten connections") {
  weft::run([] {
    weft::counting_semaphore<> connections(10);
    std::atomic<int> open{0};
    std::vector<weft::fiber<void>> queries;
    for (int i = 0; i < 100; ++i)
      queries.push_back(weft::spawn([&] {
        connections.acquire();
        CHECK(open.fetch_add(1, std::memory_order_relaxed) < 10);
        weft::this_fiber::yield();
        open.fetch_sub(1, std::memory_order_relaxed);
        connections.release();
      }));
    for (auto& q : queries) q.join();
  });
}

TEST_CASE("semaphore: try_acquire and the timed forms") {
  weft::counting_semaphore<5> s(1);
  CHECK(s.try_acquire());
  CHECK(!s.try_acquire());
  CHECK(!s.try_acquire_for(1ms));
  CHECK(!s.try_acquire_until(std::chrono::system_clock::now() + 1ms));
  std::stop_source stop;
  stop.request_stop();
  CHECK(!s.acquire(stop.get_token()));
  s.release(2);
  CHECK(s.try_acquire_for(0s));
  CHECK(s.acquire(stop.get_token()));  // there was one
  CHECK(!s.try_acquire());
}

TEST_CASE("semaphore: permits are kept, on every kind of agent") {
  on_all_agents([](agents& s) {
    constexpr int permits = 3;
    weft::counting_semaphore<> sem(permits);
    std::atomic<int> inside{0};
    std::atomic<long> acquired{0}, gave_up{0};
    for (int i = 0; i < 16; ++i)
      s.start([&, i] {
        for (int r = 0; r < 400; ++r) {
          const bool got = i % 4 == 0 ? sem.try_acquire_for(std::chrono::microseconds(r % 60))
                                      : (sem.acquire(), true);
          if (!got) {
            gave_up.fetch_add(1, std::memory_order_relaxed);
            continue;
          }
          CHECK(inside.fetch_add(1, std::memory_order_relaxed) < permits);
          acquired.fetch_add(1, std::memory_order_relaxed);
          if (r % 8 == 0) weft::this_fiber::yield();
          inside.fetch_sub(1, std::memory_order_relaxed);
          sem.release();
        }
      });
    s.join();
    CHECK(acquired.load(std::memory_order_relaxed) + gave_up.load(std::memory_order_relaxed) ==
          16 * 400);
    for (int i = 0; i < permits; ++i) CHECK(sem.try_acquire());
    CHECK(!sem.try_acquire());
  });
}

TEST_CASE("semaphore: several permits at once, and stopped waiters") {
  on_all_agents([](agents& s) {
    weft::counting_semaphore<> sem(0);
    std::stop_source stop;
    std::atomic<int> got{0}, stopped{0};
    for (int i = 0; i < 40; ++i)
      s.start([&, i] {
        if (i % 2 == 0) {
          sem.acquire();
          got.fetch_add(1, std::memory_order_relaxed);
        } else if (sem.acquire(stop.get_token())) {
          sem.release();  // for somebody who does not stop
        } else {
          stopped.fetch_add(1, std::memory_order_relaxed);
        }
      });
    s.start([&] {
      sem.release(7);
      stop.request_stop();
      sem.release(13);
    });
    s.join();
    CHECK(got.load(std::memory_order_relaxed) == 20);
    CHECK(!sem.try_acquire());
    CHECK(stopped.load(std::memory_order_relaxed) <= 20);
  });
}

TEST_CASE("semaphore: waiters are served in order, nobody overtakes") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::counting_semaphore<> sem(0);
    std::vector<int> order;
    std::vector<weft::fiber<void>> fibers;
    for (int i = 0; i < 10; ++i)
      fibers.push_back(weft::spawn([&, i] {
        sem.acquire();
        order.push_back(i);
      }));
    for (int i = 0; i < 3; ++i) weft::this_fiber::yield();
    for (std::size_t i = 0; i < 10; ++i) {
      sem.release();
      CHECK(!sem.try_acquire());  // it is theirs
      for (int y = 0; y < 3; ++y) weft::this_fiber::yield();
      REQUIRE(order.size() == i + 1);
      CHECK(order.back() == static_cast<int>(i));
    }
    for (auto& f : fibers) f.join();
  });
}

TEST_CASE("semaphore: who acquired may destroy it while release is on its way out") {
  on_all_agents([](agents& s) {
    for (int round = 0; round < 200; ++round) {
      auto b = std::make_shared<weft::binary_semaphore>(0);
      auto* const seen = b.get();
      s.start([seen] { seen->release(); });
      s.start([b = std::move(b)]() mutable {
        b->acquire();
        b.reset();
      });
      s.join();
    }
  });
}

TEST_CASE("semaphore: too many permits are reported") {
  const auto end = weft::test::in_child([] {
    weft::binary_semaphore b(1);
    b.release();
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("more than its max()") != std::string::npos, end.errors);
  const auto waited_for = weft::test::in_child([] {
    weft::run([] {
      weft::binary_semaphore b(0);
      auto waits = weft::spawn([&] { b.acquire(); });
      while (weft::metrics().runtimes[0].waiting == 0) weft::this_fiber::yield();
      b.release(3);  // one for it, two too many for the rest
      waits.join();
    });
    return 0;
  });
  CHECK(waited_for.signal == SIGABRT);
  CHECK_MESSAGE(waited_for.errors.find("more than its max()") != std::string::npos,
                waited_for.errors);
}

TEST_CASE("semaphore: as many permits as max() may come with one release, waiters or not") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::counting_semaphore<2> s(0);
    auto waits = weft::spawn([&] { s.acquire(); });
    weft::this_fiber::yield();
    s.release(3);
    waits.join();
    CHECK(s.try_acquire());
    CHECK(s.try_acquire());
    CHECK_FALSE(s.try_acquire());
  });
}

TEST_CASE("semaphore: it is not made with too many permits, or fewer than none") {
  for (const std::ptrdiff_t n : {-1, 3}) {
    const auto end = weft::test::in_child([n] {
      weft::counting_semaphore<2> s(n);
      return static_cast<int>(s.try_acquire());
    });
    CHECK(end.signal == SIGABRT);
    CHECK_MESSAGE(end.errors.find("negative number of permits, or more") != std::string::npos,
                  end.errors);
  }
  weft::counting_semaphore<> most(weft::counting_semaphore<>::max());
  CHECK(most.try_acquire());
}
