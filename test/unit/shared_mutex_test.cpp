// SPDX-License-Identifier: BSL-1.0
// unit/shared_mutex_test.cpp - readers together, writers alone, nobody starves.
#include <weft/shared_mutex.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include <weft/event.hpp>
#include <weft/latch.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/in_child.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

static_assert(sizeof(weft::shared_mutex) <= 40);
constinit weft::shared_mutex at_namespace_scope;

TEST_CASE("shared_mutex [example]: a table that is mostly read") {
  weft::run([] {
    weft::shared_mutex lock;
    std::map<std::string, int> table;  // under lock
    {
      const std::unique_lock guard(lock);
      table["a"] = 1;
    }
    auto reader = weft::spawn([&] {
      const std::shared_lock guard(lock);
      return table.at("a");
    });
    CHECK(reader.join() == 1);
  });
}

TEST_CASE("shared_mutex: who keeps whom out") {
  weft::shared_mutex lock;
  lock.lock_shared();
  CHECK(lock.try_lock_shared());
  CHECK(!lock.try_lock());
  CHECK(!lock.try_lock_for(1ms));
  CHECK(lock.try_lock_shared_for(1ms));
  for (int i = 0; i < 3; ++i) lock.unlock_shared();
  CHECK(lock.try_lock());
  CHECK(!lock.try_lock_shared());
  CHECK(!lock.try_lock_shared_until(std::chrono::steady_clock::now() + 1ms));
  CHECK(!lock.try_lock_until(std::chrono::system_clock::now() + 1ms));
  lock.unlock();
  CHECK(lock.try_lock_until(std::chrono::steady_clock::now()));
  lock.unlock();
}

TEST_CASE("shared_mutex: readers are in it together") {
  on_all_agents([](agents& s) {
    weft::shared_mutex lock;
    constexpr int n = 10;
    weft::latch all_inside(n);
    for (int i = 0; i < n; ++i)
      s.start([&] {
        const std::shared_lock guard(lock);
        all_inside.arrive_and_wait();  // would not return if one were kept out
      });
    s.join();
  });
}

TEST_CASE("shared_mutex: writers are alone, on every kind of agent") {
  on_all_agents([](agents& s) {
    weft::shared_mutex lock;
    long a = 0, b = 0;
    std::atomic<int> readers{0};
    for (int i = 0; i < 14; ++i)
      s.start([&, i] {
        for (int r = 0; r < 400; ++r) {
          const auto patience = std::chrono::microseconds(r % 50);
          if (i % 4 == 0) {
            if (r % 3 == 0 ? !lock.try_lock_for(patience) : (lock.lock(), false)) continue;
            CHECK(readers.load(std::memory_order_relaxed) == 0);
            ++a;
            if (r % 16 == 0) weft::this_fiber::yield();
            ++b;
            lock.unlock();
          } else {
            if (r % 3 == 0 ? !lock.try_lock_shared_for(patience) : (lock.lock_shared(), false))
              continue;
            readers.fetch_add(1, std::memory_order_relaxed);
            const long seen = a;
            if (r % 16 == 0) weft::this_fiber::yield();
            CHECK(seen == b);
            readers.fetch_sub(1, std::memory_order_relaxed);
            lock.unlock_shared();
          }
        }
      });
    s.join();
    CHECK(a == b);
    CHECK(lock.try_lock());
    lock.unlock();
  });
}

// Two readers that overlap all the time would keep a writer out for ever if newcomers passed it.
TEST_CASE("shared_mutex: no_starvation of writers") {
  for (const auto kind :
       {agents::kind::one_worker, agents::kind::two_workers, agents::kind::mixed}) {
    CAPTURE(agents::name(kind));
    agents s(kind);
    weft::shared_mutex lock;
    std::atomic<bool> written{false};
    for (int i = 0; i < 4; ++i)
      s.start([&] {
        while (!written.load(std::memory_order_relaxed)) {
          const std::shared_lock guard(lock);
          weft::this_fiber::sleep_for(100us);
        }
      });
    s.start([&] {
      weft::this_fiber::sleep_for(500us);
      for (int i = 0; i < 10; ++i) {
        const std::unique_lock guard(lock);
      }
      written.store(true, std::memory_order_relaxed);
    });
    s.join();
    CHECK(written.load(std::memory_order_relaxed));
  }
}

TEST_CASE("shared_mutex: a writer that gives up lets the readers behind it in") {
  on_all_agents([](agents& s) {
    weft::shared_mutex lock;
    weft::event done, gave_up;
    lock.lock_shared();
    s.start([&] {
      CHECK(!lock.try_lock_for(2ms));
      gave_up.set();
    });
    s.start([&] {
      weft::this_fiber::sleep_for(500us);
      lock.lock_shared();  // behind the writer, or after it
      lock.unlock_shared();
      done.set();
    });
    done.wait();  // while we still have it shared
    gave_up.wait();
    lock.unlock_shared();
    s.join();
    CHECK(lock.try_lock());
    lock.unlock();
  });
}

TEST_CASE("shared_mutex: the last to lock may destroy it after the unlock") {
  on_all_agents([](agents& s) {
    struct counted {
      weft::shared_mutex lock;
      std::atomic<int> references{0};
    };
    for (int round = 0; round < 100; ++round) {
      auto* c = new counted;
      constexpr int n = 4;
      c->references.store(n, std::memory_order_relaxed);
      for (int i = 0; i < n; ++i)
        s.start([c] {
          c->lock.lock();
          const bool last = c->references.fetch_sub(1, std::memory_order_acq_rel) == 1;
          c->lock.unlock();
          if (last) delete c;
        });
      s.join();
    }
  });
}

#if !defined(NDEBUG) && !defined(__SANITIZE_THREAD__)
namespace {
template <class F>
void check_reported(F&& misuse, const char* text) {
  const auto end = weft::test::in_child([&] {
    misuse();
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find(text) != std::string::npos, end.errors);
  CHECK_MESSAGE(end.errors.find("it came here by") != std::string::npos, end.errors);
}
}  // namespace

TEST_CASE("shared_mutex: locking again what one has written in, either way, is reported") {
  for (const bool shared : {false, true})
    check_reported(
        [shared] {
          weft::run([shared] {
            weft::shared_mutex lock;
            lock.lock();
            shared ? lock.lock_shared() : lock.lock();
          });
        },
        "which it has locked already");
}

TEST_CASE("shared_mutex: an unlock by a stranger, or of what is not locked so, is reported") {
  const auto by_stranger = [] {
    weft::attributes owner, stranger;
    owner.name = "owner";
    stranger.name = "stranger";
    weft::run([&] {
      weft::shared_mutex lock;
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
  };
  check_reported(by_stranger, "\"stranger\" unlocks the shared_mutex at");
  check_reported(by_stranger, "\"owner\" has locked");
  check_reported(by_stranger, "its owner locked it by");
  check_reported(
      [] {
        weft::shared_mutex lock;
        lock.unlock_shared();
      },
      "which nobody has locked shared");
  check_reported(
      [] {
        weft::shared_mutex lock;
        lock.lock_shared();
        lock.unlock();
      },
      "which nobody has locked exclusively");
}

TEST_CASE("shared_mutex: destruction while it is locked, or waited for, says by whom") {
  check_reported(
      [] {
        weft::shared_mutex lock;
        lock.lock();
      },
      "is destroyed while thread");
  check_reported(
      [] {
        weft::attributes named;
        named.name = "patient";
        weft::options o;
        o.workers = 1;
        weft::run(o, [&] {
          auto lock = std::make_unique<weft::shared_mutex>();
          lock->lock();
          auto f = weft::spawn(named, [l = lock.get()] { l->lock_shared(); });
          weft::this_fiber::yield();
          weft::this_fiber::yield();
          lock.reset();
          f.join();
        });
      },
      "\"patient\"");
}
#endif

// One program, some of it compiled with assertions and some without: what the one locks the other
// may unlock.
TEST_CASE("shared_mutex: a lock and its unlock may differ in whether they check") {
  using weft::detail::sharing;
  weft::detail::shared_mutex_state m;
  const auto lock_unchecked = [&] {
    return weft::detail::shared_mutex_lock(m, sharing::exclusive, {});
  };
  const auto unlock_unchecked = [&] { weft::detail::shared_mutex_unlock(m, sharing::exclusive); };
  const auto lock_checked = [&] {
    weft::detail::shared_mutex_check_lock(m);
    REQUIRE(lock_unchecked());
    weft::detail::shared_mutex_note_writer(m);
  };
  const auto unlock_checked = [&] {
    weft::detail::shared_mutex_check_unlock(m, sharing::exclusive);
    unlock_unchecked();
  };
  lock_checked();
  unlock_unchecked();
  CHECK(m.word.load() == 0);
  lock_checked();  // no second lock by its owner: that one is over
  std::thread other([&] {
    REQUIRE(lock_unchecked());  // waits
    unlock_checked();           // no stranger: nobody knows whose it is
  });
  unlock_unchecked();
  other.join();
  CHECK(m.word.load() == 0);
  weft::detail::shared_mutex_check_destroy(m);
}
