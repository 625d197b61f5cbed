// SPDX-License-Identifier: BSL-1.0
// unit/recursive_mutex_test.cpp - the owner may lock again, others may not.
#include <weft/recursive_mutex.hpp>

#include <doctest/doctest.h>

#include <mutex>

#include <weft/condition_variable.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/in_child.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

TEST_CASE("recursive_mutex [example]: a locked function calls another") {
  weft::recursive_mutex lock;
  int balance = 0;
  const auto pay = [&](int n) {
    const std::lock_guard guard(lock);
    balance += n;
  };
  weft::run([&] {
    const std::lock_guard guard(lock);
    pay(3);
    pay(4);
  });
  CHECK(balance == 7);
}

TEST_CASE("recursive_mutex: as many unlocks as locks") {
  weft::recursive_mutex lock;
  lock.lock();
  CHECK(lock.try_lock());
  CHECK(lock.try_lock_for(1ms));
  const auto taken_by_others = [&] {
    return weft::run([&] {
      if (!lock.try_lock()) return true;
      lock.unlock();
      return false;
    });
  };
  for (int i = 0; i < 3; ++i) {
    CHECK(taken_by_others());
    weft::run([&] { CHECK(!lock.try_lock_for(1ms)); });
    lock.unlock();
  }
  CHECK(!taken_by_others());
}

TEST_CASE("recursive_mutex: one at a time, on every kind of agent") {
  on_all_agents([](agents& s) {
    weft::recursive_mutex lock;
    long plain = 0;
    for (int i = 0; i < 10; ++i)
      s.start([&] {
        for (int r = 0; r < 500; ++r) {
          const std::lock_guard outer(lock);
          ++plain;
          if (r % 50 == 0)
            weft::this_fiber::yield();  // the owner is the fiber, wherever it goes on
          const std::lock_guard inner(lock);
          ++plain;
        }
      });
    s.join();
    CHECK(plain == 10 * 500 * 2);
  });
}

TEST_CASE("recursive_mutex: an unlock by a stranger is reported") {
  const auto end = weft::test::in_child([] {
    weft::recursive_mutex lock;
    lock.lock();
    weft::run([&] { lock.unlock(); });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("its owner locked it by\n") != std::string::npos, end.errors);
  CHECK_MESSAGE(end.errors.find("unlocks the recursive_mutex at") != std::string::npos, end.errors);
}
