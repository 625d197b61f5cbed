// SPDX-License-Identifier: BSL-1.0
// unit/stop_token_waits_test.cpp - every wait has a form that takes a std::stop_token: it ends when
// a stop is requested before or meanwhile, and says so; and it takes what is there in spite of it.
// The plain forms are not ended.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include <weft/weft.hpp>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

using wait = std::function<bool(const std::stop_token&)>;  // true: it got what it waited for
struct named_wait {
  const char* name;
  wait call;
};

// Nothing of this ever comes.
struct barren {
  weft::channel<int> empty{0}, full{1};
  weft::latch latch{1}, other_latch{100};
  weft::barrier<> barrier{100};
  weft::event event;
  weft::wait_group group{1};
  weft::counting_semaphore<> semaphore{0};
  weft::mutex mutex;
  weft::recursive_mutex recursive;
  weft::shared_mutex shared;
  weft::condition_variable condition;
  weft::timer timer{1h};
  weft::ticker ticker{1h};
  weft::rate_limiter limiter{0.001};
  weft::event end;
  weft::fiber<> holder, endless;

  barren() {
    full.send(1);
    limiter.acquire();
    weft::event held;
    holder = weft::spawn([&] {
      const std::scoped_lock all(mutex, recursive, shared);
      held.set();
      end.wait();
    });
    held.wait();
    endless = weft::spawn([&] { end.wait(); });
  }
  ~barren() {
    end.set();
    holder.join();
    endless.join();
  }

  std::vector<named_wait> waits() {
    using stop = const std::stop_token&;
    return {
        {"receive", [&](stop s) { return empty.receive(s).has_value(); }},
        {"receive_for", [&](stop s) { return empty.receive_for(s, 1h).has_value(); }},
        {"send", [&](stop s) { return bool(full.send(2, s)); }},
        {"send of an lvalue",
         [&](stop s) {
           const int two = 2;
           return bool(full.send(two, s));
         }},
        {"send_for", [&](stop s) { return bool(full.send_for(2, s, 1h)); }},
        {"latch", [&](stop s) { return latch.wait(s); }},
        {"latch, arrive_and_wait", [&](stop s) { return other_latch.arrive_and_wait(s); }},
        {"barrier", [&](stop s) { return barrier.wait(barrier.arrive(), s); }},
        {"barrier, arrive_and_wait", [&](stop s) { return barrier.arrive_and_wait(s); }},
        {"barrier, wait_for", [&](stop s) { return barrier.wait_for(barrier.arrive(), s, 1h); }},
        {"event", [&](stop s) { return event.wait(s); }},
        {"wait_group", [&](stop s) { return group.wait(s); }},
        {"semaphore", [&](stop s) { return semaphore.acquire(s); }},
        {"mutex", [&](stop s) { return mutex.lock(s); }},
        {"mutex, try_lock_for", [&](stop s) { return mutex.try_lock_for(s, 1h); }},
        {"mutex, try_lock_until",
         [&](stop s) { return mutex.try_lock_until(s, std::chrono::system_clock::now() + 1h); }},
        {"recursive_mutex", [&](stop s) { return recursive.lock(s); }},
        {"recursive_mutex, try_lock_for", [&](stop s) { return recursive.try_lock_for(s, 1h); }},
        {"shared_mutex", [&](stop s) { return shared.lock(s); }},
        {"shared_mutex, shared", [&](stop s) { return shared.lock_shared(s); }},
        {"shared_mutex, try_lock_for", [&](stop s) { return shared.try_lock_for(s, 1h); }},
        {"shared_mutex, try_lock_shared_for",
         [&](stop s) { return shared.try_lock_shared_for(s, 1h); }},
        {"condition_variable",
         [&](stop s) {
           weft::mutex own;
           std::unique_lock guard(own);
           return condition.wait(guard, s, [] { return false; });
         }},
        {"timer", [&](stop s) { return timer.wait(s); }},
        {"ticker", [&](stop s) { return ticker.wait(s); }},
        {"rate_limiter", [&](stop s) { return limiter.acquire(1, s); }},
        {"rate_limiter, acquire_for", [&](stop s) { return limiter.acquire_for(1, s, 2h); }},
        {"join_until", [&](stop s) { return endless.join_until(s); }},
        {"join_for", [&](stop s) { return endless.join_for(s, 1h); }},
        {"join_until a time",
         [&](stop s) { return endless.join_until(s, std::chrono::system_clock::now() + 1h); }},
        {"select, with a fiber's end",
         [&](stop s) {
           return weft::select(weft::on_join(endless, [] {}), weft::on_stop(s, [] {})) == 0;
         }},
        {"select",
         [&](stop s) {
           return weft::select(weft::on_receive(empty, [](std::optional<int>) {}),
                               weft::on_stop(s, [] {})) == 0;
         }},
        {"sleep_for",
         [&](stop s) { return weft::this_fiber::sleep_for(s, 1h) != weft::wait_result::stopped; }},
    };
  }
};

}  // namespace

TEST_CASE("every wait ends by a stop that was requested before, and by one that comes") {
  each_fiber([] {
    barren b;
    for (const named_wait& w : b.waits()) {
      std::stop_source before;
      before.request_stop();
      const bool in_spite_of_it = w.call(before.get_token());
      // nothing waits within a message: doctest keeps those by thread
      CHECK_MESSAGE(!in_spite_of_it, w.name);
      std::stop_source meanwhile;
      std::atomic<bool> begins{false};
      auto waiting = weft::spawn([&] {
        begins = true;
        return w.call(meanwhile.get_token());
      });
      until([&] { return begins.load(); });
      weft::this_fiber::yield();
      meanwhile.request_stop();
      const bool got = waiting.join();
      CHECK_MESSAGE(!got, w.name);
    }
  });
}

TEST_CASE("what is there is taken in spite of a stop") {
  each_fiber([] {
    std::stop_source source;
    source.request_stop();
    const std::stop_token stop = source.get_token();
    weft::mutex m;
    CHECK(m.lock(stop));
    m.unlock();
    weft::recursive_mutex r;
    CHECK(r.lock(stop));
    CHECK(r.lock(stop));
    r.unlock();
    r.unlock();
    weft::shared_mutex s;
    CHECK(s.lock_shared(stop));
    CHECK(s.lock_shared(stop));
    s.unlock_shared();
    s.unlock_shared();
    CHECK(s.lock(stop));
    s.unlock();
    weft::latch l(1);
    CHECK(l.arrive_and_wait(stop));
    weft::barrier b(1);
    CHECK(b.arrive_and_wait(stop));
    weft::channel<int> c(1);
    CHECK(c.send(1, stop));
    CHECK(c.receive(stop));
  });
}

TEST_CASE("locks got with a token exclude, and are got when they become free") {
  each_fiber([] {
    std::stop_source source;
    weft::mutex m;
    weft::shared_mutex s;
    int count = 0;
    weft::scope all;
    for (int i = 0; i < 8; ++i)
      all.spawn([&] {
        for (int k = 0; k < 100; ++k) {
          REQUIRE(m.lock(source.get_token()));
          REQUIRE(s.lock(source.get_token()));
          ++count;
          if (k % 10 == 0) weft::this_fiber::yield();
          s.unlock();
          m.unlock();
        }
      });
    all.join();
    CHECK(count == 800);
  });
}

TEST_CASE("a stop request on the fiber does not end a plain wait") {
  each_runtime([](weft::runtime& rt) {
    weft::channel<int> c(0);
    weft::event parked;
    auto receiver = rt.spawn([&] {
      parked.set();
      return c.receive().value_or(-1);
    });
    parked.wait();
    receiver.request_stop();
    std::stop_source source;
    source.request_stop();
    CHECK_FALSE(receiver.join_until(source.get_token()));  // nor does it touch who is joined
    CHECK_FALSE(receiver.join_for(std::stop_token(), 1ms));
    CHECK(receiver.joinable());
    c.send(5);
    CHECK(receiver.join_until(std::stop_token()));
    CHECK(receiver.join_until(source.get_token()));  // it has ended
    CHECK(receiver.join() == 5);
  });
}
