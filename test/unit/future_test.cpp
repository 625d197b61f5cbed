// SPDX-License-Identifier: BSL-1.0
// unit/future_test.cpp - what the standard demands of futures and their providers, on fibers and on
// plain threads.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <weft/weft.hpp>

#include "support/in_child.hpp"

using namespace std::chrono_literals;

namespace {

// The error that `f` throws.
template <class F>
std::error_code error_of(F f) {
  try {
    f();
  } catch (const std::future_error& e) {
    return e.code();
  }
  return {};
}

struct throws_once {
  inline static int left = 0;
  throws_once() = default;
  throws_once(const throws_once&) {
    if (left-- > 0) throw std::runtime_error("copy");
  }
};

}  // namespace

TEST_CASE("future: a value, a reference, nothing, what can only be moved") {
  weft::run([] {
    weft::promise<std::unique_ptr<int>> moved;
    auto f = moved.get_future();
    CHECK(f.valid());
    CHECK(f.wait_for(0s) == std::future_status::timeout);
    moved.set_value(std::make_unique<int>(3));
    CHECK(f.wait_for(0s) == std::future_status::ready);
    CHECK(*f.get() == 3);
    CHECK(!f.valid());

    int place = 1;
    weft::promise<int&> reference;
    auto r = reference.get_future();
    reference.set_value(place);
    r.get() = 5;
    CHECK(place == 5);

    weft::promise<void> nothing;
    auto n = nothing.get_future();
    nothing.set_value();
    n.get();
    CHECK(!n.valid());
  });
}

TEST_CASE("future: errors are the standard's") {
  weft::promise<int> p;
  auto f = p.get_future();
  CHECK(error_of([&] { static_cast<void>(p.get_future()); }) ==
        std::future_errc::future_already_retrieved);
  p.set_value(1);
  CHECK(error_of([&] { p.set_value(2); }) == std::future_errc::promise_already_satisfied);
  CHECK(error_of([&] { p.set_exception(std::make_exception_ptr(1)); }) ==
        std::future_errc::promise_already_satisfied);
  CHECK(f.get() == 1);
  CHECK(error_of([&] { f.get(); }) == std::future_errc::no_state);
  weft::promise<int> gone = std::move(p);
  CHECK(error_of([&] { p.set_value(1); }) == std::future_errc::no_state);
  weft::future<int> broken;
  {
    weft::promise<int> dropped;
    broken = dropped.get_future();
  }
  CHECK(error_of([&] { broken.get(); }) == std::future_errc::broken_promise);
  weft::promise<int> assigned;
  auto old = assigned.get_future();
  assigned = weft::promise<int>();
  CHECK(error_of([&] { old.get(); }) == std::future_errc::broken_promise);
}

TEST_CASE("future: no exception is none") {
  weft::run([] {
    weft::promise<int> p;
    auto f = p.get_future();
    CHECK_THROWS_AS(p.set_exception(nullptr), std::invalid_argument);
    CHECK_THROWS_AS(p.set_exception_at_thread_exit(nullptr), std::invalid_argument);
    CHECK(f.wait_for(0s) == std::future_status::timeout);
    p.set_value(4);
    CHECK(f.get() == 4);
    weft::promise<int> gone = std::move(p);
    CHECK(error_of([&] { p.set_exception(nullptr); }) == std::future_errc::no_state);
  });
}

TEST_CASE("future: an exception arrives; a value that throws while it is stored leaves it empty") {
  weft::run([] {
    weft::promise<int> p;
    auto f = p.get_future();
    p.set_exception(std::make_exception_ptr(std::runtime_error("reason")));
    CHECK_THROWS_WITH_AS(f.get(), "reason", std::runtime_error);

    weft::promise<throws_once> q;
    auto g = q.get_future();
    const throws_once value;
    throws_once::left = 1;
    CHECK_THROWS_AS(q.set_value(value), std::runtime_error);
    CHECK(g.wait_for(0s) == std::future_status::timeout);
    q.set_value(value);
    g.get();
  });
}

TEST_CASE("future: fibers and threads wait for each other; a stop ends a wait") {
  weft::runtime rt;
  for (int i = 0; i < 200; ++i) {
    weft::promise<int> p;
    auto f = p.get_future();
    auto giver = rt.spawn([&] { p.set_value(i); });
    CHECK(f.get() == i);  // a plain thread waits
    giver.join();
  }
  weft::promise<int> late;
  auto f = late.get_future();
  auto waits = rt.spawn([&] { return f.get(); });
  std::thread([&] { late.set_value(9); }).join();
  CHECK(waits.join() == 9);

  weft::promise<int> never;
  auto g = never.get_future();
  auto stopped = rt.spawn([&] { return g.wait(weft::this_fiber::stop_token()); });
  stopped.request_stop();
  CHECK(!stopped.join());
  CHECK(g.wait_until(std::chrono::system_clock::now() + 1ms) == std::future_status::timeout);
}

TEST_CASE("future: the promise of a future that is gone may still be kept") {
  weft::run([] {
    for (int i = 0; i < 500; ++i) {
      auto p = std::make_unique<weft::promise<int>>();
      auto f = weft::spawn([f = p->get_future()]() mutable { return f.get(); });
      p->set_value(i);
      p.reset();
      CHECK(f.join() == i);
    }
  });
}

TEST_CASE("shared_future: many take the same object") {
  weft::run([] {
    weft::promise<std::string> p;
    weft::shared_future<std::string> f = p.get_future().share();
    std::vector<weft::fiber<const std::string*>> readers;
    for (int i = 0; i < 20; ++i) readers.push_back(weft::spawn([f] { return &f.get(); }));
    p.set_value("one");
    for (auto& r : readers) CHECK(r.join() == &f.get());
    CHECK(f.get() == "one");
    CHECK(f.valid());
    CHECK(error_of([] { weft::shared_future<int>().wait(); }) == std::future_errc::no_state);
  });
}

TEST_CASE("async: a fiber, or the first wait") {
  weft::run([] {
    const auto here = weft::this_fiber::get_id();
    auto there = weft::async(std::launch::async, [] { return weft::this_fiber::get_id(); });
    CHECK(there.get() != here);
    std::atomic<int> calls{0};
    auto lazy = weft::async(
        std::launch::deferred,
        [&](int n) {
          ++calls;
          return weft::this_fiber::get_id() == here ? n : 0;
        },
        4);
    CHECK(lazy.wait_for(1s) == std::future_status::deferred);
    CHECK(calls == 0);
    lazy.wait();
    CHECK(calls == 1);
    CHECK(lazy.get() == 4);
    CHECK(calls == 1);
    auto wrong = weft::async([]() -> int { throw std::runtime_error("async"); });
    CHECK_THROWS_WITH_AS(wrong.get(), "async", std::runtime_error);
    std::atomic<bool> ended{false};
    {
      auto waits = weft::async([&] {
        weft::this_fiber::sleep_for(5ms);
        ended = true;
      });
    }  // as the standard's: the destructor waits
    CHECK(ended);
    auto moved = weft::async([](std::unique_ptr<int> p) { return *p; }, std::make_unique<int>(8));
    CHECK(moved.get() == 8);
  });
}

TEST_CASE("packaged_task: once, again after reset, its errors") {
  weft::run([] {
    int calls = 0;
    weft::packaged_task<int(int, int)> add([&](int a, int b) {
      ++calls;
      return a + b;
    });
    auto f = add.get_future();
    add(1, 2);
    CHECK(error_of([&] { add(1, 2); }) == std::future_errc::promise_already_satisfied);
    CHECK(f.get() == 3);
    add.reset();
    auto g = add.get_future();
    add(3, 4);
    CHECK(g.get() == 7);
    CHECK(calls == 2);
    weft::packaged_task<void()> fails([] { throw std::runtime_error("task"); });
    auto h = fails.get_future();
    fails();
    CHECK_THROWS_WITH_AS(h.get(), "task", std::runtime_error);
    weft::future<int> broken;
    {
      weft::packaged_task<int()> never([] { return 1; });
      broken = never.get_future();
    }
    CHECK(error_of([&] { broken.get(); }) == std::future_errc::broken_promise);
    weft::packaged_task<int()> none;
    CHECK(!none.valid());
    CHECK(error_of([&] { none(); }) == std::future_errc::no_state);
  });
}

TEST_CASE("future: at_thread_exit is at the fiber's end, after its locals are gone") {
  struct marks {
    std::atomic<bool>* gone;
    ~marks() { *gone = true; }
  };
  std::atomic<bool> gone{false};
  weft::run([&] {
    weft::promise<int> p;
    auto f = p.get_future();
    weft::event go;
    auto giver = weft::spawn([&] {
      p.set_value_at_thread_exit(6);
      static weft::fiber_local<std::unique_ptr<marks>> late;
      *late = std::unique_ptr<marks>(new marks{&gone});
      go.wait();
    });
    CHECK(f.wait_for(2ms) == std::future_status::timeout);
    CHECK(error_of([&] { p.set_value(7); }) == std::future_errc::promise_already_satisfied);
    go.set();
    CHECK(f.get() == 6);
    CHECK(gone);
    giver.join();
  });
  weft::promise<int> p;
  auto f = p.get_future();
  std::thread([&] { p.set_value_at_thread_exit(2); }).join();
  CHECK(f.get() == 2);
}

TEST_CASE("future: a child's error goes to its future, and leaves the scope alone") {
  weft::run([] {
    weft::scope s;
    auto wrong = weft::spawn_future(s, []() -> int { throw std::runtime_error("child"); });
    auto right = weft::spawn_future(s, [] { return 1; });
    CHECK_THROWS_WITH_AS(wrong.get(), "child", std::runtime_error);
    CHECK(right.get() == 1);
    s.join();
    CHECK(!s.stop_requested());
  });
}

TEST_CASE("notify_all_at_thread_exit: the lock is held until the fiber has ended") {
  weft::run([] {
    weft::mutex m;
    weft::condition_variable ended;
    bool done = false;
    weft::event locked;
    auto f = weft::spawn([&] {
      std::unique_lock lock(m);
      locked.set();
      done = true;
      weft::notify_all_at_thread_exit(ended, std::move(lock));
      weft::this_fiber::sleep_for(1ms);
    });
    locked.wait();
    std::unique_lock lock(m);
    ended.wait(lock, [&] { return done; });
    CHECK(done);
    f.join();
  });
}

TEST_CASE("async: a function that destroys its last future is reported, its captures may") {
  struct session {
    weft::future<int> result;
  };
  const auto runs = [](bool within) {
    weft::run([&] {
      auto own = std::make_shared<session>();
      weft::event go;
      const std::weak_ptr<session> seen = own;
      own->result = weft::async([own, within, &go]() mutable {
        go.wait();
        if (within) own.reset();
        return 42;
      });
      own.reset();
      go.set();
      while (!seen.expired()) weft::this_fiber::sleep_for(1ms);
    });
    return 0;
  };
  CHECK(runs(false) == 0);
  const auto end = weft::test::in_child([&] { return runs(true); });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("destroys the last future of its result") != std::string::npos,
                end.errors);
}

TEST_CASE(
    "future: async and spawn_future call as spawn does: a stop token first, a callable once") {
  struct once {
    int operator()(std::stop_token stop, std::unique_ptr<int> n) && {
      return stop == weft::this_fiber::stop_token() ? *n : 0;
    }
  };
  weft::run([] {
    CHECK(weft::async(once{}, std::make_unique<int>(3)).get() == 3);
    CHECK(weft::async(std::launch::deferred, once{}, std::make_unique<int>(4)).get() == 4);
    weft::scope children;
    CHECK(weft::spawn_future(children, once{}, std::make_unique<int>(5)).get() == 5);
    auto stopped = weft::spawn_future(children, [](const std::stop_token& stop) {
      return weft::this_fiber::sleep_for(1h), stop.stop_requested();
    });
    children.request_stop();
    CHECK(stopped.get());
  });
}

TEST_CASE("future: a fiber's and an offloaded call's result may be an rvalue reference") {
  weft::run([] {
    int place = 1;
    const auto give = [&]() -> int&& { return std::move(place); };
    const std::array<char, 500> large{};
    const auto give_large = [&place, large]() -> int&& {
      return static_cast<void>(large), std::move(place);
    };
    int&& a = weft::spawn(give).join();
    int&& b = weft::spawn(give_large).join();
    int&& c = weft::offload(give);
    CHECK(&a == &place);
    CHECK(&b == &place);
    CHECK(&c == &place);
  });
}
