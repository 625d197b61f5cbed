// SPDX-License-Identifier: BSL-1.0
// unit/destroyed_while_waited_for_test.cpp - whatever somebody waits on, and of whatever kind: with
// assertions on, its destruction ends the process and says who waits.
#include <doctest/doctest.h>

#include <csignal>
#include <memory>
#include <mutex>
#include <string>

#include <weft/weft.hpp>

#include "support/in_child.hpp"

using namespace std::chrono_literals;

#if !defined(NDEBUG) && !defined(__SANITIZE_THREAD__)
namespace {

// A fiber called "patient" waits for `object` by `wait`; then the object goes.
template <class Object, class Wait>
void check_said(std::unique_ptr<Object> (*make)(), Wait wait) {
  const auto end = weft::test::in_child([&] {
    weft::options o;
    o.workers = 1;
    weft::run(o, [&] {
      std::unique_ptr<Object> object = make();
      weft::attributes named;
      named.name = "patient";
      auto f = weft::spawn(named, [&wait, p = object.get()] { wait(*p); });
      for (int i = 0; i < 3; ++i) weft::this_fiber::yield();  // one worker: it has parked
      object.reset();
      f.join();
    });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("destroyed while") != std::string::npos, end.errors);
  CHECK_MESSAGE(end.errors.find("\"patient\"") != std::string::npos, end.errors);
}

struct with_mutex {
  weft::mutex m;  // goes after the condition
  weft::condition_variable cv;
};

}  // namespace

TEST_CASE("destroyed while waited for: condition_variable") {
  check_said<with_mutex>([] { return std::make_unique<with_mutex>(); },
                         [](with_mutex& w) {
                           std::unique_lock lock(w.m);
                           w.cv.wait(lock);
                         });
}
TEST_CASE("destroyed while waited for: semaphore") {
  using semaphore = weft::counting_semaphore<>;
  check_said<semaphore>([] { return std::make_unique<semaphore>(0); },
                        [](semaphore& s) { s.acquire(); });
}
TEST_CASE("destroyed while waited for: latch, wait_group, barrier, event") {
  check_said<weft::latch>([] { return std::make_unique<weft::latch>(1); },
                          [](weft::latch& l) { l.wait(); });
  check_said<weft::wait_group>(
      [] {
        auto g = std::make_unique<weft::wait_group>();
        g->add(1);
        return g;
      },
      [](weft::wait_group& g) { g.wait(); });
  check_said<weft::barrier<>>([] { return std::make_unique<weft::barrier<>>(2); },
                              [](weft::barrier<>& b) { b.arrive_and_wait(); });
  check_said<weft::event>([] { return std::make_unique<weft::event>(); },
                          [](weft::event& e) { e.wait(); });
}
TEST_CASE("destroyed while waited for: once_flag") {
  check_said<weft::once_flag>(
      [] {
        auto flag = std::make_unique<weft::once_flag>();
        weft::spawn([f = flag.get()] {
          weft::call_once(*f, [] { weft::this_fiber::sleep_for(1h); });
        }).detach();
        weft::this_fiber::yield();
        return flag;
      },
      [](weft::once_flag& f) { weft::call_once(f, [] {}); });
}
TEST_CASE("destroyed while waited for: channel, by a sender, a receiver and a select") {
  using channel = weft::channel<int>;
  const auto make = [] { return std::make_unique<channel>(0); };
  check_said<channel>(make, [](channel& c) { c.send(1); });
  check_said<channel>(make, [](channel& c) { c.receive(); });
  check_said<channel>(
      make, [](channel& c) { weft::select(weft::on_receive(c, [](std::optional<int>) {})); });
}
TEST_CASE("destroyed while waited for: timer, ticker, also by a select") {
  check_said<weft::timer>([] { return std::make_unique<weft::timer>(1h); },
                          [](weft::timer& t) { t.wait(); });
  check_said<weft::timer>([] { return std::make_unique<weft::timer>(1h); },
                          [](weft::timer& t) { weft::select(weft::on_timer(t, [] {})); });
  check_said<weft::ticker>([] { return std::make_unique<weft::ticker>(1h); },
                           [](weft::ticker& t) { t.wait(); });
}
TEST_CASE("destroyed while waited for: rate_limiter") {
  check_said<weft::rate_limiter>(
      [] {
        auto limit = std::make_unique<weft::rate_limiter>(0.001);
        limit->acquire();
        return limit;
      },
      [](weft::rate_limiter& limit) { limit.acquire(); });
}
TEST_CASE("destroyed while waited for: recursive_mutex, shared_mutex") {
  check_said<weft::recursive_mutex>(
      [] {
        auto m = std::make_unique<weft::recursive_mutex>();
        m->lock();
        return m;
      },
      [](weft::recursive_mutex& m) { m.lock(); });
  check_said<weft::shared_mutex>(
      [] {
        auto m = std::make_unique<weft::shared_mutex>();
        m->lock_shared();
        return m;
      },
      [](weft::shared_mutex& m) { m.lock(); });
}
#endif
