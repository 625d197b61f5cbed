// SPDX-License-Identifier: BSL-1.0
// unit/stop_callback_thread_test.cpp - a fiber that runs a std::stop_callback stays on its thread,
// also when its processor was taken meanwhile, and all others are busy when it calls weft.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <stop_token>
#include <vector>

#include <sched.h>
#include <unistd.h>

#include <weft/weft.hpp>

#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {
// One worker. A callback loses the processor in `block`; another fiber has it then, and keeps it
// until the first one wants it back. False: the callback continued on another thread.
bool stays_on_its_thread(const weft::options& o, const std::function<void(latch_pipe&)>& block) {
  weft::runtime rt(o);
  auto& scheduler = probe::of(rt);
  latch_pipe pipe;
  weft::event registered;
  std::atomic<bool> begun{false};
  bool stayed = false;
  auto asked = rt.spawn([&] {
    const std::stop_callback cb(weft::this_fiber::stop_token(), [&] {
      const pid_t here = ::gettid();  // get_id() is a constant to the compiler
      begun = true;
      begun.notify_all();
      block(pipe);
      weft::spawn([] {}).detach();
      stayed = ::gettid() == here;
    });
    registered.set();
    park_until_stopped();
  });
  registered.wait();
  auto asker = rt.spawn([&] { asked.request_stop(); });
  begun.wait(false);
  auto has_the_processor = rt.spawn([&] {
    pipe.open();
    while (scheduler.injected() == 0 && scheduler.sleeping().frozen_hint() == 0) ::sched_yield();
  });
  has_the_processor.join();
  asker.join();
  asked.join();
  return stayed;
}
}  // namespace

TEST_CASE("CB-1: a callback that loses its processor waits for one on its thread") {
  weft::options o = workers(1);
  o.time_slice = 0ms;  // the processor is not taken from who computes
  CHECK(stays_on_its_thread(o, [](latch_pipe& p) { p.wait(); }));
  // so does a child on the callback's stack
  CHECK(stays_on_its_thread(o, [](latch_pipe& p) { weft::spawn([&] { p.wait(); }).join(); }));
  o.retake = false;
  CHECK(stays_on_its_thread(o, [](latch_pipe& p) { weft::block_in_place([&] { p.wait(); }); }));
}

TEST_CASE("CB-1: a runtime ends, and one that waits for its processor is left behind") {
  weft::options o = workers(1);
  o.time_slice = 0ms;
  o.shutdown_timeout = 0ms;
  o.name = "gone";
  weft::runtime rt(o);
  auto& scheduler = probe::of(rt);
  latch_pipe pipe;
  weft::event registered;
  std::atomic<bool> begun{false}, went_on{false};
  // What it has is never freed; LeakSanitizer does not look into records.
  static std::atomic<const void*> kept;
  auto asked = rt.spawn([&] {
    const std::stop_token token = weft::this_fiber::stop_token();
    kept = weft::detail::this_worker()->current->extras.load();
    const std::stop_callback cb(token, [&] {
      begun = true;
      begun.notify_all();
      pipe.wait();
      weft::spawn([] {}).detach();
      went_on = true;
    });
    registered.set();
    park_until_stopped();
  });
  registered.wait();
  rt.spawn([&] { asked.request_stop(); }).detach();
  begun.wait(false);
  rt.spawn([&] {
      pipe.open();
      while (!scheduler.sleeping().has_ended()) ::sched_yield();
    }).detach();
  while (scheduler.sleeping().frozen_hint() == 0) ::sched_yield();
  CHECK(rt.shutdown() == 3);
  CHECK(probe::threads_running(rt) == 0);
  CHECK_FALSE(went_on);
  asked.detach();
}

// Of three callbacks of one token the first blocks, weft's ends a wait, and the last looks.
TEST_CASE("CB-2: a std::stop_source's request that ends a wait of weft's stays on its thread") {
  const auto stays = [](auto&& wait) {
    weft::options o = workers(1);
    o.time_slice = 0ms;
    weft::runtime rt(o);
    auto& scheduler = probe::of(rt);
    latch_pipe pipe;
    std::stop_source source;
    std::atomic<bool> begun{false};
    pid_t here = 0;
    bool stayed = false;
    const auto look = [&] {
      if (here != 0) {
        stayed = ::gettid() == here;
        return;
      }
      here = ::gettid();
      begun = true;
      begun.notify_all();
      pipe.wait();
    };
    weft::event waits;
    auto waiter = rt.spawn([&] {
      const std::stop_callback before(source.get_token(), look);
      waits.set();
      wait(source.get_token());
    });
    waits.wait();
    // One worker: once this one runs, the other waits.
    auto asker = rt.spawn([&] {
      const std::stop_callback after(source.get_token(), look);
      source.request_stop();
    });
    begun.wait(false);
    rt.spawn([&] {
        pipe.open();
        while (scheduler.injected() == 0) ::sched_yield();
      }).join();
    asker.join();
    waiter.join();
    return stayed;
  };
  using token = const std::stop_token&;
  CHECK(stays([](token t) { static_cast<void>(weft::this_fiber::sleep_for(t, 1h)); }));
  CHECK(stays([](token t) { static_cast<void>(weft::event().wait(t)); }));
  CHECK(stays([](token t) {
    weft::channel<int> nothing(1);
    weft::select(weft::on_stop(t, [] {}), weft::on_receive(nothing, [](auto&&) {}));
  }));
}

TEST_CASE("CB-1: and again and again, at random instants, frozen and retaken from") {
  weft::options o = workers(2);
  o.time_slice = 1ms;
  with_runtime(o, [](weft::runtime& rt) {
    probe::storm(rt, probe::preempts | probe::retake_all);
    std::atomic<bool> done{false};
    std::atomic<int> moved{0}, destroyed_before{0};
    std::vector<weft::fiber<>> others;
    for (int i = 0; i < 8; ++i)
      others.push_back(rt.spawn([&] {
        while (!done) weft::this_fiber::yield();
      }));
    std::vector<weft::fiber<>> askers;
    for (int i = 0; i < 4; ++i)
      askers.push_back(rt.spawn([&] {
        for (std::size_t round = 0; round < scaled(100); ++round) {
          weft::event registered, begun;
          auto asked = weft::spawn([&] {
            bool ended = false;
            {
              const std::stop_callback cb(weft::this_fiber::stop_token(), [&] {
                const pid_t here = ::gettid();
                begun.set();
                for (int k = 0; k < 20; ++k) {
                  ::usleep(20);
                  weft::spawn([] {}).detach();
                  if (::gettid() != here) ++moved;
                }
                ended = true;
              });
              registered.set();
              begun.wait();
            }
            if (!ended) ++destroyed_before;
          });
          registered.wait();
          asked.request_stop();
          asked.join();
        }
      }));
    for (auto& f : askers) f.join();
    done = true;
    for (auto& f : others) f.join();
    CHECK(moved == 0);
    CHECK(destroyed_before == 0);
  });
}
