// SPDX-License-Identifier: BSL-1.0
// unit/out_of_memory_waits_test.cpp - as out_of_memory_test: waits with deadlines, and what there
// is to wait for.
#include "support/out_of_memory.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <stop_token>
#include <string>
#include <system_error>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "net/resolver.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;

// A wait that is called off as if its time were over. The others have nothing to say: they wait.
template <class Wait>
static void may_throw(Wait&& wait) {
  try {
    wait();
  } catch (const std::bad_alloc&) {
  }
}

TEST_CASE("out of memory: every wait with a deadline") {
  for (const failing how : {failing::once, failing::from_then_on}) {
    bool reached = true;
    for (std::uint64_t n = 1; reached; n = how == failing::once ? n + 1 : n + 7) {
      REQUIRE(n < most_allocations);
      weft::runtime rt(one_worker());  // whose timers have no room yet
      rt.spawn([&] {
          weft::mutex m, own;
          weft::shared_mutex sm;
          weft::counting_semaphore<> s(0);
          weft::latch l(1);
          weft::event e;
          weft::wait_group wg(1);
          weft::channel<int> c;
          weft::condition_variable cv;
          weft::weighted_semaphore weights(2);
          weights.acquire(2);
          weft::watch<int> news(1);
          auto listener = news.subscribe();
          weft::promise<int> promise;
          auto future = promise.get_future();
          weft::rate_limiter slow(1000.0, 1);
          weft::timer timer(2ms);
          std::atomic<bool> done{false};
          auto owner = weft::spawn([&] {
            const std::scoped_lock both(m, sm);
            while (!done) weft::this_fiber::sleep_for(500us);
          });
          while (m.try_lock()) {
            m.unlock();
            weft::this_fiber::yield();
          }
          const auto t = 700us;
          int steps = 0;
          bool threw = false;
          memory::fail_at(n, how);
          try {
            EXPECT(weft::this_fiber::sleep_for(t) == weft::wait_result::timeout), ++steps;
            may_throw([&] { EXPECT(!m.try_lock_for(t)); }), ++steps;
            may_throw([&] { EXPECT(!sm.try_lock_for(t)); }), ++steps;
            may_throw([&] { EXPECT(!sm.try_lock_shared_for(t)); }), ++steps;
            may_throw([&] { EXPECT(!s.try_acquire_for(t)); }), ++steps;
            may_throw([&] { EXPECT(!l.wait_for(t)); }), ++steps;
            may_throw([&] { EXPECT(!e.wait_for(t)); }), ++steps;
            may_throw([&] { EXPECT(!wg.wait_for(t)); }), ++steps;
            EXPECT(c.receive_for(t).status() == weft::channel_status::timeout), ++steps;
            EXPECT(c.send_for(1, t).status() == weft::channel_status::timeout), ++steps;
            std::unique_lock guard(own);
            may_throw([&] { EXPECT(!cv.wait_for(guard, t, [] { return false; })); }), ++steps;
            EXPECT(guard.owns_lock() && !own.try_lock());
            may_throw([&] { EXPECT(!weights.try_acquire_for(1, t)); }), ++steps;
            may_throw([&] { EXPECT(!listener.changed_for(t)); }), ++steps;
            may_throw([&] { EXPECT(future.wait_for(t) == std::future_status::timeout); }), ++steps;
            EXPECT(!owner.join_for(t)), ++steps;
            EXPECT(timer.wait()), ++steps;
            slow.acquire(), slow.acquire(), ++steps;
            bool over = false;
            weft::select(weft::on_timeout(t, [&] { over = true; }),
                         weft::on_receive(c, [](auto) {}));
            EXPECT(over), ++steps;
          } catch (...) {
            threw = true;
          }
          reached = memory::recover();
          done = true;
          owner.join();
          CAPTURE(n);
          CHECK(!threw);
          CHECK(steps == 18);
          CHECK(wrong == 0);
          wrong = 0;
          // Nobody has left an entry of a frame that is gone.
          CHECK(m.try_lock());
          m.unlock();
          e.set();
          s.release();
          weights.release(2);
          CHECK(weights.try_acquire(2));
          CHECK(c.try_send(1) == false);
        }).join();
      CHECK(rt.shutdown() == 0);
    }
  }
}

// There is a record for each of these fibers, but perhaps no stack: it ends without a step.
TEST_CASE("out of memory: what waits for a fiber otherwise than by its join") {
  in_a_fiber("async", [] { EXPECT(weft::async([] { return 4; }).get() == 4); });
  in_a_fiber("spawn_future", [] {
    weft::scope scope;
    try {
      EXPECT(weft::spawn_future(scope, [] { return 4; }).get() == 4);
    } catch (const std::future_error&) {  // broken: the scope's join has the reason
    }
    scope.join();
  });
  in_a_fiber("stop_callback", [] {
    std::stop_source source;
    bool called = false;
    {
      weft::stop_callback hear(source.get_token(), [&] { called = true; });
      source.request_stop();
    }
    EXPECT(called);
  });
  in_a_fiber("scope deadline", [] {
    weft::scope late(weft::scope_deadline{std::chrono::steady_clock::now() + 5ms});
    late.spawn(park_until_stopped);  // for ever, if nobody keeps the deadline
    late.join();
  });
}

TEST_CASE("out of memory: a promise is broken, or kept at the end of a fiber") {
  in_a_fiber("a broken promise", [] {
    weft::future<int> f;
    {
      weft::promise<int> p;
      f = p.get_future();
    }
    try {
      f.get();
      EXPECT(false);
    } catch (const std::future_error&) {  // or std::bad_alloc
    }
  });
  in_a_fiber("a value at the end", [] {
    weft::promise<int> p;
    auto f = p.get_future();
    auto child = weft::spawn([&] {
      ++ran;
      try {
        p.set_value_at_thread_exit(4);
      } catch (const std::bad_alloc&) {
        p.set_value(4);  // nothing was done
      }
    });
    ++spawned;
    child.join();
    EXPECT(f.get() == 4);  // for ever, if nobody publishes it
  });
  in_a_fiber("a task's result at the end", [] {
    weft::packaged_task<int()> task([] { return 4; });
    auto f = task.get_future();
    auto child = weft::spawn([&] {
      ++ran;
      try {
        task.make_ready_at_thread_exit();
      } catch (const std::bad_alloc&) {
        task();
      }
    });
    ++spawned;
    child.join();
    EXPECT(f.get() == 4);
  });
}

TEST_CASE("out of memory: channels, selects, tokens, locals") {
  in_a_fiber("a channel", [] {
    weft::channel<int> c(1000);
    EXPECT(c.try_send(1));
    EXPECT(c.receive() == 1);
  });
  in_a_fiber("a select over many", [] {
    static weft::channel<int> c[20];
    weft::selector s;
    for (auto& one : c) s.add(weft::on_receive(one, [](auto) {}));
    s.add(weft::on_timeout(100us, [] {}));
    static_cast<void>(s.select());
  });
  in_a_fiber("a stop token", [] {
    auto child = weft::spawn([] {
      ++ran;
      const std::stop_token token = weft::this_fiber::stop_token();
      while (!token.stop_requested()) weft::this_fiber::yield();
    });
    ++spawned;
    weft::this_fiber::yield();
    child.request_stop();
    child.join();
  });
  in_a_fiber("a fiber_local", [] {
    static weft::fiber_local<std::string> text;
    auto child = weft::spawn([] {
      ++ran;
      *text = "a text that is longer than a string holds within itself";
    });
    ++spawned;
    child.join();
  });
  in_a_fiber("reports", [] {
    static_cast<void>(weft::debug::dump_fibers());
    static_cast<void>(weft::debug::find_deadlocks());
  });
}

TEST_CASE("out of memory: offload") {
  for (const failing how : {failing::once, failing::from_then_on}) {
    bool reached = true;
    for (std::uint64_t n = 1; reached; ++n) {
      REQUIRE(n < most_allocations);
      weft::runtime rt(one_worker());  // whose pool has no thread yet
      rt.spawn([&] {
          bool called = false, threw = false;
          memory::fail_at(n, how);
          try {
            EXPECT(weft::offload([&] { return called = true; }));
          } catch (const std::bad_alloc&) {
            threw = true;
          } catch (const std::system_error&) {
            threw = true;
          }
          reached = memory::recover();
          CHECK(called == !threw);
          CHECK(wrong == 0);
          CHECK(weft::offload([] { return 3; }) == 3);
        }).join();
      CHECK(rt.shutdown() == 0);
    }
  }
}

TEST_CASE("out of memory: connections") {
  in_a_fiber("listen, connect, accept", [] {
    weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));
    auto client = weft::net::tcp_stream::connect(listener.local_endpoint());
    auto server = listener.accept();
    const std::byte sent{7};
    client.write_all({&sent, 1});
    std::byte got{};
    EXPECT(server.read_some({&got, 1}) == 1);
    EXPECT(got == sent);
  });
}

static weft::detail::lookup_answer one_address(const weft::detail::lookup_request&) {
  return {{}, {weft::net::endpoint("127.0.0.1", 80)}};
}

TEST_CASE("out of memory: a name, for which a thread must be made") {
  in_a_fiber("resolve", [] {
    weft::detail::resolver fresh(one_address);
    std::error_code ec;
    const auto found = fresh.resolve({"a.example", "80", weft::net::address_family::any}, {}, ec);
    EXPECT(found.size() == (ec ? 0U : 1U));
    if (ec) throw std::system_error(ec);
  });
}
