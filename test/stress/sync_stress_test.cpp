// SPDX-License-Identifier: BSL-1.0
// stress/sync_stress_test.cpp - thousands of execution agents do random things with a few objects;
// an oracle counts.
//
// Oracle: what a mutex or a writer protects is plain data whose sum must come out; permits and
// tokens are counted on both sides; every execution agent must end. Timeouts, stops and yields are
// strewn in. WEFT_TEST_SEED repeats a run.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stop_token>

#include <weft/barrier.hpp>
#include <weft/condition_variable.hpp>
#include <weft/event.hpp>
#include <weft/latch.hpp>
#include <weft/mutex.hpp>
#include <weft/once.hpp>
#include <weft/recursive_mutex.hpp>
#include <weft/semaphore.hpp>
#include <weft/shared_mutex.hpp>
#include <weft/this_fiber.hpp>
#include <weft/wait_group.hpp>

#include "base/rng.hpp"
#include "base/sanitizers.hpp"
#include "support/agents.hpp"
#include "support/seed.hpp"

using namespace std::chrono_literals;
using weft::test::agents;

namespace {

constexpr int agents_per_run = WEFT_TSAN ? 300 : 2000;
constexpr int steps = WEFT_TSAN || WEFT_ASAN ? 20 : 60;
constexpr int of_each = 3;

struct guarded {
  weft::mutex lock;
  long sum = 0;  // under lock
  std::atomic<long> added{0};
  void add(long n) {
    sum += n;
    added.fetch_add(n, std::memory_order_relaxed);
  }
};
struct table {
  weft::shared_mutex lock;
  long a = 0, b = 0;  // under lock, equal
};
struct tokens {
  weft::mutex lock;
  weft::condition_variable changed;
  long there = 0;  // under lock
  std::atomic<long> put{0}, got{0};
};
struct permits {
  static constexpr int n = 4;
  weft::counting_semaphore<> left{n};
  std::atomic<int> inside{0};
};

struct stage {
  guarded guards[of_each];
  table tables[of_each];
  tokens pots[of_each];
  permits rooms[of_each];
  weft::recursive_mutex nested;
  long nested_sum = 0;  // under nested
  std::atomic<long> nested_added{0};
  weft::event gates[of_each];  // set and reset
  weft::once_flag once[of_each];
  std::atomic<int> once_ran[of_each]{};
  weft::wait_group alive{agents_per_run};
  weft::latch begun{agents_per_run};
  std::stop_source stop;
};

void maybe_yield(weft::base::rng& random) {
  if (random.below(4) == 0) weft::this_fiber::yield();
}

void step(stage& s, weft::base::rng& random) {
  const std::size_t i = random.below(of_each);
  const auto soon = std::chrono::microseconds(random.below(200));
  switch (random.below(11)) {
    case 0: {
      const std::lock_guard guard(s.guards[i].lock);
      s.guards[i].add(1);
      maybe_yield(random);
      return;
    }
    case 1:
      if (s.guards[i].lock.try_lock_for(soon)) {
        s.guards[i].add(2);
        maybe_yield(random);
        s.guards[i].lock.unlock();
      }
      return;
    case 2: {
      const std::size_t j = (i + 1) % of_each;
      const std::scoped_lock both(s.guards[i].lock, s.guards[j].lock);
      s.guards[i].add(1);
      s.guards[j].add(-1);
      return;
    }
    case 3: {
      std::shared_lock guard(s.tables[i].lock, std::defer_lock);
      if (random.below(2) == 0)
        guard.lock();
      else if (!guard.try_lock_for(soon))
        return;
      const long a = s.tables[i].a;
      maybe_yield(random);
      if (a != s.tables[i].b) FAIL_CHECK("a reader saw half a write");
      return;
    }
    case 4: {
      std::unique_lock guard(s.tables[i].lock, std::defer_lock);
      if (random.below(2) == 0)
        guard.lock();
      else if (!guard.try_lock_for(soon))
        return;
      ++s.tables[i].a;
      maybe_yield(random);
      ++s.tables[i].b;
      return;
    }
    case 5: {
      tokens& pot = s.pots[i];
      {
        const std::lock_guard guard(pot.lock);
        ++pot.there;
        pot.put.fetch_add(1, std::memory_order_relaxed);
      }
      if (random.below(8) == 0)
        pot.changed.notify_all();
      else
        pot.changed.notify_one();
      return;
    }
    case 6: {
      tokens& pot = s.pots[i];
      std::unique_lock guard(pot.lock);
      const auto some = [&] { return pot.there > 0; };
      const bool got = random.below(2) == 0
                           ? pot.changed.wait_for(guard, soon, some)
                           : pot.changed.wait_for(guard, s.stop.get_token(), soon, some);
      if (!got) return;
      --pot.there;
      pot.got.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    case 7: {
      permits& room = s.rooms[i];
      const std::uint32_t how = random.below(3);
      if (how == 0)
        room.left.acquire();
      else if (how == 1 ? !room.left.try_acquire_for(soon) : !room.left.acquire(s.stop.get_token()))
        return;
      if (room.inside.fetch_add(1, std::memory_order_relaxed) >= permits::n)
        FAIL_CHECK("too many inside");
      maybe_yield(random);
      room.inside.fetch_sub(1, std::memory_order_relaxed);
      room.left.release();
      return;
    }
    case 8: {
      const std::lock_guard outer(s.nested);
      ++s.nested_sum;
      maybe_yield(random);
      const std::lock_guard inner(s.nested);
      s.nested_added.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    case 9:
      if (random.below(3) == 0)
        s.gates[i].reset();
      else if (random.below(2) == 0)
        s.gates[i].set();
      else
        static_cast<void>(s.gates[i].wait_for(s.stop.get_token(), soon));
      return;
    default:
      weft::call_once(s.once[i], [&] {
        maybe_yield(random);
        s.once_ran[i].fetch_add(1, std::memory_order_relaxed);
      });
  }
}

void run(agents::kind kind, std::uint64_t seed) {
  auto s = std::make_unique<stage>();
  {
    agents all(kind);
    const bool threads_too = kind == agents::kind::mixed || kind == agents::kind::threads;
    const int n = agents_per_run / (threads_too ? 10 : 1);
    s->alive.done(agents_per_run - n);
    s->begun.count_down(agents_per_run - n);
    for (int i = 0; i < n; ++i)
      all.start([&s = *s, seed, i] {
        weft::base::rng random(seed + static_cast<std::uint64_t>(i));
        s.begun.arrive_and_wait();
        for (int k = 0; k < steps; ++k) step(s, random);
        s.alive.done();
      });
    s->begun.wait();
    weft::this_fiber::sleep_for(5ms);
    s->stop.request_stop();
    s->alive.wait();
    all.join();
  }
  for (auto& g : s->guards) {
    CHECK(g.sum == g.added.load(std::memory_order_relaxed));
    CHECK(g.lock.try_lock());
    g.lock.unlock();
  }
  for (auto& t : s->tables) {
    CHECK(t.a == t.b);
    CHECK(t.lock.try_lock());
    t.lock.unlock();
  }
  for (auto& p : s->pots)
    CHECK(p.there == p.put.load(std::memory_order_relaxed) - p.got.load(std::memory_order_relaxed));
  for (auto& r : s->rooms) {
    for (int i = 0; i < permits::n; ++i) CHECK(r.left.try_acquire());
    CHECK(!r.left.try_acquire());
  }
  CHECK(s->nested_sum == s->nested_added.load(std::memory_order_relaxed));
  for (auto& ran : s->once_ran) CHECK(ran.load(std::memory_order_relaxed) <= 1);
}

}  // namespace

TEST_CASE("stress: random operations on every object, on every kind of agent") {
  const std::uint64_t s = weft::test::seed();
  for (const agents::kind k : agents::all) {
    CAPTURE(agents::name(k));
    run(k, s);
  }
}

TEST_CASE("stress: barrier, phase after phase, with agents that drop out") {
  const std::uint64_t s = weft::test::seed();
  for (const agents::kind k : agents::all) {
    CAPTURE(agents::name(k));
    constexpr int n = 40;
    weft::base::rng random(s);
    int leave_after[n], longest = 0, phases = 0;
    for (int& l : leave_after) {
      l = static_cast<int>(random.below(200));
      longest = std::max(longest, l);
    }
    weft::barrier b(n, [&]() noexcept { ++phases; });
    agents all(k);
    for (const int mine : leave_after)
      all.start([&, mine] {
        for (int p = 0; p < mine; ++p) {
          if (phases != p) FAIL_CHECK("a phase was skipped or begun early");
          b.arrive_and_wait();
        }
        b.arrive_and_drop();
      });
    all.join();
    CHECK(phases == longest + 1);
  }
}
