// SPDX-License-Identifier: BSL-1.0
// Whoever calls weft in a loop and never has to wait gives way in those calls, whatever they are:
// there is no signal here. And giving way looks at timers and descriptors: a ticker gets on beside
// it.
#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/net.hpp"
#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

constexpr auto at_once = 0ms;

// One round of a loop that keeps its processor. The objects live as long as the loop.
struct calls {
  weft::channel<int> full{1}, empty{1}, both{1};
  weft::mutex free;
  weft::recursive_mutex again;
  weft::shared_mutex shared;
  weft::counting_semaphore<> permits{0};
  weft::event never;
  weft::latch closed{1};
  weft::wait_group group;
  weft::timer timer{1h};
  weft::fiber<void> parked = weft::spawn([] { park_until_stopped(); });
  calls() {
    static_cast<void>(full.send(1));
    group.add(1);
  }
  ~calls() {
    closed.count_down();
    group.done();
    parked.request_stop();
    parked.join();
  }
};
using round = void (*)(calls&);

void gives_way(const std::string& what, round one) {
  weft::options o = workers(1);
  o.preempt_signal = 0;
  weft::runtime rt(o);
  std::atomic<bool> ticked{false}, came{false};
  auto hog = rt.spawn([&] {
    calls all;
    // Both wait for something that only a look around finds: a timer, a fiber on the inject queue.
    auto ticker = weft::spawn([&] {
      for (int i = 0; i < 3; ++i) weft::this_fiber::sleep_for(1ms);
      ticked.store(true, std::memory_order_relaxed);
    });
    weft::this_fiber::yield();
    std::thread outside(
        [&] { rt.spawn([&] { came.store(true, std::memory_order_relaxed); }).detach(); });
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (!(ticked.load(std::memory_order_relaxed) && came.load(std::memory_order_relaxed)) &&
           std::chrono::steady_clock::now() < limit)
      one(all);
    CHECK_MESSAGE(ticked.load(std::memory_order_relaxed), what);
    CHECK_MESSAGE(came.load(std::memory_order_relaxed), what);
    ticker.join();
    outside.join();
  });
  hog.join();
  CHECK(probe::preemptions(rt) == 0);
}

}  // namespace

TEST_CASE("channels") {
  gives_way("try_send", [](calls& c) { static_cast<void>(c.full.try_send(1)); });
  gives_way("try_receive", [](calls& c) { static_cast<void>(c.empty.try_receive()); });
  gives_way("both", [](calls& c) {
    static_cast<void>(c.both.try_send(1));
    static_cast<void>(c.both.try_receive());
  });
  gives_way("send_for", [](calls& c) { static_cast<void>(c.full.send_for(1, at_once)); });
  gives_way("receive_for", [](calls& c) { static_cast<void>(c.empty.receive_for(at_once)); });
  gives_way("select", [](calls& c) {
    weft::select(weft::on_receive(c.empty, [](auto&&) {}), weft::on_default([] {}));
  });
}

TEST_CASE("locks") {
  gives_way("lock", [](calls& c) { const std::lock_guard guard(c.free); });
  gives_way("try_lock", [](calls& c) {
    if (c.free.try_lock()) c.free.unlock();
  });
  gives_way("recursive lock", [](calls& c) { const std::lock_guard guard(c.again); });
  gives_way("exclusive lock", [](calls& c) { const std::lock_guard guard(c.shared); });
  gives_way("shared lock", [](calls& c) { const std::shared_lock guard(c.shared); });
  gives_way("try_lock_for", [](calls& c) {
    const std::lock_guard guard(c.shared);
    static_cast<void>(c.shared.try_lock_shared_for(at_once));
  });
}

TEST_CASE("waits that are over before they begin") {
  gives_way("try_acquire", [](calls& c) { static_cast<void>(c.permits.try_acquire()); });
  gives_way("try_acquire_for",
            [](calls& c) { static_cast<void>(c.permits.try_acquire_for(at_once)); });
  gives_way("event", [](calls& c) { static_cast<void>(c.never.wait_for(at_once)); });
  gives_way("latch", [](calls& c) { static_cast<void>(c.closed.wait_for(at_once)); });
  gives_way("latch, tried", [](calls& c) { static_cast<void>(c.closed.try_wait()); });
  gives_way("wait_group", [](calls& c) { static_cast<void>(c.group.wait_for(at_once)); });
  gives_way("timer", [](calls& c) { static_cast<void>(c.timer.try_wait()); });
  gives_way("sleep", [](calls&) { weft::this_fiber::sleep_for(at_once); });
}

TEST_CASE("fibers") {
  gives_way("spawn and join", [](calls&) { weft::spawn([] {}).join(); });
  gives_way("spawn and join of a value",
            [](calls&) { CHECK(weft::spawn([] { return 1; }).join() == 1); });
  gives_way("spawn with attributes", [](calls&) { weft::spawn({.name = "child"}, [] {}).join(); });
  gives_way("join_for", [](calls& c) { CHECK(!c.parked.join_for(at_once)); });
  gives_way("scope", [](calls&) {
    weft::scope s;
    s.spawn([] {});
    s.join();
  });
}
