// SPDX-License-Identifier: BSL-1.0
// unit/port_std_locks_test.cpp - what the standard library's own tests ask of mutexes, of fibers
// and threads, by renaming: std::mutex -> weft::mutex, std::thread -> an execution agent. Written
// after the ideas of those tests.
#include <doctest/doctest.h>

#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <system_error>
#include <type_traits>
#include <vector>

#include <weft/mutex.hpp>
#include <weft/recursive_mutex.hpp>
#include <weft/semaphore.hpp>
#include <weft/shared_mutex.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

namespace {

// Runs at a third of the speed, from the same zero: who waits until a time of it must not come back
// early.
struct slow_clock {
  using duration = std::chrono::steady_clock::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<slow_clock>;
  [[maybe_unused]] static constexpr bool is_steady = true;
  static time_point now() {
    return time_point(std::chrono::steady_clock::now().time_since_epoch() / 3);
  }
};

template <class M>
constexpr bool not_copied = !std::is_copy_constructible_v<M> && !std::is_copy_assignable_v<M> &&
                            !std::is_move_constructible_v<M> && std::is_default_constructible_v<M>;
static_assert(not_copied<weft::mutex> && not_copied<weft::timed_mutex> &&
              not_copied<weft::recursive_mutex> && not_copied<weft::recursive_timed_mutex> &&
              not_copied<weft::shared_mutex> && not_copied<weft::shared_timed_mutex>);
static_assert(std::is_nothrow_default_constructible_v<weft::mutex>);
static_assert(std::is_standard_layout_v<weft::mutex>);
static_assert(std::is_same_v<decltype(std::declval<weft::mutex&>().lock()), void>);
static_assert(std::is_same_v<decltype(std::declval<weft::mutex&>().try_lock()), bool>);

constinit weft::mutex global_mutex;  // constant initialisation, as std::mutex
constinit weft::shared_mutex global_shared_mutex;

}  // namespace

TEST_CASE_TEMPLATE("port std: lock, try_lock, unlock, seen from elsewhere", M, weft::mutex,
                   weft::timed_mutex, weft::recursive_mutex, weft::recursive_timed_mutex,
                   weft::shared_mutex, weft::shared_timed_mutex) {
  on_all_agents([](agents& s) {
    M m;
    weft::binary_semaphore locked(0), seen(0);
    s.start([&] {
      m.lock();
      locked.release();
      seen.acquire();
      m.unlock();
    });
    s.start([&] {
      locked.acquire();
      CHECK(!m.try_lock());
      seen.release();
      m.lock();
      m.unlock();
      CHECK(m.try_lock());
      m.unlock();
    });
    s.join();
  });
}

TEST_CASE_TEMPLATE(
    "port std: try_lock_for and try_lock_until wait as long as they say, on any clock", M,
    weft::timed_mutex, weft::recursive_timed_mutex, weft::shared_timed_mutex) {
  on_all_agents([](agents& s) {
    M m;
    weft::binary_semaphore locked(0), tried(0);
    s.start([&] {
      CHECK(m.try_lock_for(0s));
      m.unlock();
      // free: the time does not matter
      CHECK(m.try_lock_until(std::chrono::system_clock::now() - 1h));
      locked.release();
      tried.acquire();
      m.unlock();
    });
    s.start([&] {
      locked.acquire();
      for (const auto wait : {5ms, 0ms, -5ms}) {
        const auto start = std::chrono::steady_clock::now();
        CHECK(!m.try_lock_for(wait));
        CHECK(std::chrono::steady_clock::now() - start >= wait);
      }
      const auto system = std::chrono::system_clock::now() + 5ms;
      CHECK(!m.try_lock_until(system));
      CHECK(std::chrono::system_clock::now() >= system);
      const auto slow = slow_clock::now() + 5ms;
      CHECK(!m.try_lock_until(slow));
      CHECK(slow_clock::now() >= slow);
      const auto fine =
          std::chrono::steady_clock::now() + std::chrono::duration<double, std::milli>(1.5);
      CHECK(!m.try_lock_until(fine));
      CHECK(std::chrono::steady_clock::now() >= fine);
      const auto hours = std::chrono::floor<std::chrono::hours>(std::chrono::system_clock::now());
      CHECK(!m.try_lock_until(hours));  // past
      tried.release();
    });
    s.join();
  });
}

TEST_CASE("port std: a recursive mutex is free when it was unlocked as often as locked") {
  on_all_agents([](agents& s) {
    weft::recursive_timed_mutex m;
    weft::binary_semaphore locked(0), tried(0);
    s.start([&] {
      m.lock();
      CHECK(m.try_lock());
      CHECK(m.try_lock_for(1s));
      CHECK(m.try_lock_until(std::chrono::steady_clock::now() - 1s));
      locked.release();
      tried.acquire();
      for (int i = 0; i < 4; ++i) m.unlock();
    });
    s.start([&] {
      locked.acquire();
      CHECK(!m.try_lock());
      CHECK(!m.try_lock_for(1ms));
      tried.release();
      CHECK(m.try_lock_for(1h));
      m.unlock();
    });
    s.join();
  });
}

TEST_CASE("port std: std::lock, std::try_lock and scoped_lock over several kinds, from both ends") {
  on_all_agents([](agents& s) {
    weft::mutex a;
    weft::timed_mutex b;
    weft::recursive_mutex c;
    weft::shared_mutex d;
    int value = 0;
    constexpr int rounds = 200;
    s.start([&] {
      for (int i = 0; i < rounds; ++i) {
        std::scoped_lock all(a, b, c, d);
        ++value;
      }
    });
    s.start([&] {
      for (int i = 0; i < rounds; ++i) {
        std::lock(d, c, b, a);
        ++value;
        a.unlock(), b.unlock(), c.unlock(), d.unlock();
      }
    });
    s.start([&] {
      for (int i = 0; i < rounds; ++i) {
        std::unique_lock one(b, std::defer_lock), two(a, std::defer_lock);
        while (std::try_lock(one, two) != -1) weft::this_fiber::yield();
        ++value;
      }
    });
    s.join();
    CHECK(value == 3 * rounds);
    std::unique_lock held(b);
    CHECK(std::try_lock(a, b, d) == 1);
    CHECK(a.try_lock());  // what try_lock had taken it gave back
    a.unlock();
  });
}

TEST_CASE("port std: unique_lock's life: adopt, defer, try, release, swap, errors") {
  weft::timed_mutex m;
  std::unique_lock<weft::timed_mutex> none;
  CHECK(!none.owns_lock());
  CHECK_THROWS_AS(none.lock(), std::system_error);
  std::unique_lock one(m, 1s);
  CHECK(one.owns_lock());
  try {
    one.lock();
    FAIL("locked twice");
  } catch (const std::system_error& e) {
    CHECK(e.code() == std::errc::resource_deadlock_would_occur);
  }
  std::unique_lock moved(std::move(one));
  CHECK((moved.owns_lock() && one.mutex() == nullptr));
  moved.swap(none);
  CHECK(none.owns_lock());
  none.unlock();
  CHECK_THROWS_AS(none.unlock(), std::system_error);
  CHECK(none.try_lock_until(std::chrono::steady_clock::now()));
  CHECK(none.release() == &m);
  const std::lock_guard adopted(m, std::adopt_lock);
}

TEST_CASE("port std: shared_mutex has readers together and writers alone") {
  on_all_agents([](agents& s) {
    weft::shared_timed_mutex m;
    weft::binary_semaphore shared(0), tried(0), alone(0), refused(0);
    s.start([&] {
      std::shared_lock reader(m);
      shared.release();
      tried.acquire();
      reader.unlock();
      std::unique_lock writer(m);
      alone.release();
      refused.acquire();
    });
    s.start([&] {
      shared.acquire();
      CHECK(!m.try_lock());
      CHECK(!m.try_lock_for(1ms));
      CHECK(!m.try_lock_until(slow_clock::now() + 1ms));
      CHECK(m.try_lock_shared());
      m.unlock_shared();
      CHECK(m.try_lock_shared_for(1h));
      m.unlock_shared();
      tried.release();
      alone.acquire();
      CHECK(!m.try_lock_shared());
      CHECK(!m.try_lock_shared_for(1ms));
      const auto slow = slow_clock::now() + 2ms;
      CHECK(!m.try_lock_shared_until(slow));
      CHECK(slow_clock::now() >= slow);
      refused.release();
    });
    s.join();
    // A reader moves its shared_lock away; the last of the two lets go.
    std::shared_lock first(m), second(m);
    std::shared_lock third = std::move(first);
    CHECK(!first.owns_lock());
    CHECK(third.owns_lock());
    second.unlock();
    CHECK(!m.try_lock());
    third.unlock();
    CHECK(m.try_lock());
    m.unlock();
  });
}

TEST_CASE("port std: many mutexes, many agents, no mixed-up locks") {
  on_all_agents([](agents& s) {
    constexpr std::size_t cells = 7, each = 400;
    struct cell {
      weft::mutex m;
      std::size_t value = 0;
    };
    std::vector<cell> all(cells);
    for (int k = 0; k < 4; ++k)
      s.start([&, k] {
        for (std::size_t i = 0; i < each; ++i) {
          cell& from = all[(i + static_cast<std::size_t>(k)) % cells];
          cell& to = all[(i * 3 + static_cast<std::size_t>(k)) % cells];
          if (&from == &to) {
            const std::lock_guard g(from.m);
            ++from.value;
          } else {
            const std::scoped_lock g(from.m, to.m);
            ++from.value;
          }
        }
      });
    s.join();
    std::size_t sum = 0;
    for (auto& c : all) sum += c.value;
    CHECK(sum == 4 * each);
  });
}
