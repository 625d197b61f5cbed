// SPDX-License-Identifier: BSL-1.0
// unit/stop_callback_test.cpp - what a stop request calls: std::stop_callback, whose function must
// not wait in a fiber, and weft::stop_callback, whose may.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include <weft/weft.hpp>

#include "support/in_child.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

// First: the child must find no runtime.
TEST_CASE(
    "CB-1: a std::stop_callback that waits in a fiber, by request_stop, ends the process with a "
    "report") {
  const auto waits_in_callback = [](auto&& request) {
    return in_child([&] {
      weft::options o;
      o.workers = 1;
      o.dump_on_crash = false;
      weft::run(o, [&] {
        weft::attributes named;
        named.name = "asker";
        weft::event registered;
        auto asked = weft::spawn([&] {
          const std::stop_callback cb(weft::this_fiber::stop_token(),
                                      [] { weft::this_fiber::sleep_for(1ms); });
          registered.set();
          park_until_stopped();
        });
        registered.wait();
        weft::spawn(named, [&] { request(asked); }).join();
      });
      return 0;
    });
  };
  const auto end = waits_in_callback([](weft::fiber<>& f) { f.request_stop(); });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(
      end.errors.find("\"asker\" waits (sleep) in a std::stop_callback") != std::string::npos,
      end.errors);
  CHECK(end.errors.find("use weft::stop_callback") != std::string::npos);
}

// It runs on the callback's stack, which would wait with it.
TEST_CASE("CB-1: a child that is joined in a std::stop_callback and waits ends the process, too") {
  const auto end = in_child([] {
    weft::options o;
    o.workers = 1;
    o.dump_on_crash = false;
    weft::run(o, [] {
      weft::event registered;
      auto asked = weft::spawn([&] {
        const std::stop_callback cb(weft::this_fiber::stop_token(), [] {
          weft::this_fiber::yield();  // does nothing
          weft::spawn([] { weft::this_fiber::sleep_for(1ms); }).join();
        });
        registered.set();
        park_until_stopped();
      });
      registered.wait();
      asked.request_stop();
    });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find(" in a std::stop_callback") != std::string::npos, end.errors);
}

TEST_CASE(
    "weft::stop_callback: the destructor waits for the end of a function that waits, on any "
    "thread") {
  each_fiber([] {
    for (int round = 0; round < 20; ++round) {
      std::stop_source source;
      weft::event registered, begun, go_on;
      bool ended = false, destroyed_before = false;
      auto owner = weft::spawn([&] {
        {
          weft::stop_callback cb(source.get_token(), [&] {
            begun.set();
            go_on.wait();
            weft::this_fiber::sleep_for(100us);
            ended = true;
          });
          registered.set();
          begun.wait();
          go_on.set();
        }
        destroyed_before = !ended;
      });
      registered.wait();
      CHECK(source.request_stop());  // does not wait
      owner.join();
      CHECK_FALSE(destroyed_before);
    }
  });
}

TEST_CASE(
    "weft::stop_callback: called at once, once, not, or never, as the stop came before, between, "
    "after, or cannot come") {
  each_fiber([] {
    std::stop_source before;
    before.request_stop();
    int calls = 0;
    {
      weft::stop_callback cb(before.get_token(), [&] { ++calls; });
      CHECK(calls == 1);  // in the constructor
    }
    CHECK(calls == 1);
    std::stop_source between;
    {
      weft::stop_callback cb(between.get_token(), [&] { ++calls; });
      between.request_stop();
    }
    CHECK(calls == 2);  // although it was taken back at once
    std::stop_source after;
    {
      weft::stop_callback cb(after.get_token(), [&] { ++calls; });
    }
    after.request_stop();
    {
      weft::stop_callback cb(std::stop_token(), [&] { ++calls; });
    }
    CHECK(calls == 2);
  });
}

TEST_CASE(
    "weft::stop_callback: of the fiber itself, by fiber<T>::request_stop and a scope's; with a "
    "function that only moves") {
  each_fiber([] {
    std::atomic<int> calls{0};
    weft::scope s;
    for (int i = 0; i < 5; ++i)
      s.spawn([&] {
        weft::mutex lock;
        auto n = std::make_unique<int>(1);
        weft::stop_callback cb(weft::this_fiber::stop_token(), [&, n = std::move(n)] {
          const std::lock_guard guard(lock);
          weft::this_fiber::yield();
          calls += *n;
        });
        const std::lock_guard guard(lock);
        park_until_stopped();
      });
    until([&] { return s.size() == 5; });
    s.request_stop();
    s.join();
    CHECK(calls == 5);
  });
}

TEST_CASE("weft::stop_callback: destroyed by its own function, after that one went on elsewhere") {
  each_fiber([] {
    std::stop_source source;
    weft::event done;
    struct holder {
      std::unique_ptr<weft::stop_callback<std::function<void()>>> cb;
    } h;
    h.cb = std::make_unique<weft::stop_callback<std::function<void()>>>(source.get_token(), [&] {
      weft::this_fiber::sleep_for(100us);
      h.cb.reset();
      done.set();
    });
    source.request_stop();
    done.wait();
    CHECK(h.cb == nullptr);
  });
}

TEST_CASE(
    "CB-1: a callback that only tells somebody is all right, also when its fiber was asked to give "
    "way; on a thread it may wait") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<int> told{0};
    weft::channel<int> news(100);
    for (const bool by_thread : {false, true}) {
      weft::event registered;
      auto asked = rt.spawn([&] {
        const std::stop_callback cb(weft::this_fiber::stop_token(), [&] {
          if (by_thread) weft::this_fiber::sleep_for(100us);
          const auto until = std::chrono::steady_clock::now() + 15ms;  // longer than a slice
          while (std::chrono::steady_clock::now() < until) static_cast<void>(news.try_send(1));
          // not weft::spawn: a thread has no runtime of its own
          rt.spawn([&] { ++told; }).detach();
        });
        registered.set();
        park_until_stopped();
      });
      registered.wait();
      if (by_thread)
        asked.request_stop();
      else
        rt.spawn([&] { asked.request_stop(); }).join();
      asked.join();
    }
    until([&] { return told == 2; });
  });
}

namespace {
// A function that waits, of a std::stop_callback that another fiber destroys meanwhile. True: the
// destructor returned after the function's end.
template <class Request>
bool destroyed_after_its_end(Request&& request) {
  std::stop_source source;
  weft::event registered, in_callback;
  std::atomic<bool> ended{false};
  bool after = false;
  auto owner = weft::spawn([&] {
    {
      const std::stop_callback cb(source.get_token(), [&] {
        in_callback.set();
        weft::this_fiber::sleep_for(5ms);
        ended = true;
      });
      registered.set();
      in_callback.wait();
    }
    after = ended;
  });
  registered.wait();
  request(source);
  owner.join();
  return after;
}
}  // namespace

TEST_CASE("a std::stop_callback may wait where the thread is the requester's alone") {
  each_fiber([] {
    CHECK(destroyed_after_its_end([](std::stop_source& source) {
      weft::spawn({.own_thread = true}, [&] { source.request_stop(); }).join();
    }));
    CHECK(destroyed_after_its_end(
        [](std::stop_source& source) { weft::offload([&] { source.request_stop(); }); }));
    CHECK(destroyed_after_its_end([](std::stop_source& source) {
      std::thread outside([&] { source.request_stop(); });
      weft::offload([&] { outside.join(); });
    }));
  });
}

TEST_CASE("CB-1: a fiber with a thread of its own may wait in one, by request_stop") {
  each_fiber([] {
    weft::event registered;
    bool ended = false;
    auto asked = weft::spawn([&] {
      const std::stop_callback cb(weft::this_fiber::stop_token(), [&] {
        weft::this_fiber::sleep_for(1ms);
        ended = true;
      });
      registered.set();
      park_until_stopped();
    });
    registered.wait();
    weft::spawn({.own_thread = true}, [&] { asked.request_stop(); }).join();
    CHECK(ended);
    asked.join();
  });
}

// Last: it starts the default runtime, which stays.
TEST_CASE("weft::stop_callback: plain threads have them, too") {
  std::stop_source source;
  std::atomic<int> calls{0};
  {
    weft::stop_callback cb(source.get_token(), [&] {
      weft::this_fiber::sleep_for(1ms);
      ++calls;
    });
    source.request_stop();
  }
  CHECK(calls == 1);
}
