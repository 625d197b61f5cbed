// SPDX-License-Identifier: BSL-1.0
// unit/unstarted_test.cpp - a fiber that finds no stack: its callable is destroyed on the worker's
// own stack, by code that may block, wake, send, spawn and wait like any other.
#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "os/os.hpp"
#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;

namespace {

/// A function's end: called by the destructor, once.
template <class F>
class at_end {
 public:
  explicit at_end(F f) : f_(std::move(f)) {}
  at_end(at_end&& other) noexcept : f_(other.f_), armed_(std::exchange(other.armed_, false)) {}
  ~at_end() {
    if (armed_) f_();
  }

 private:
  F f_;
  bool armed_ = true;
};

/// A fiber that ends with `f`, without having run.
template <class F>
weft::fiber<> unstarted(F f) {
  weft::os::test_hooks.reserve_error = ENOMEM;
  auto fiber = weft::spawn({.stack_size = 3 << 20},
                           [end = at_end(std::move(f))] { FAIL("there is no stack for it"); });
  return fiber;
}

}  // namespace

// The only processor is taken while the destructor blocks, and stays taken.
TEST_CASE("a callable that is destroyed unrun, and has lost its processor") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    latch_pipe open;
    weft::event set;
    weft::channel<int> sent(2);
    std::atomic<bool> blocks{false}, hogs{false}, done{false}, spawned{false};
    auto waits = weft::spawn([&] { set.wait(); });
    weft::this_fiber::yield();
    auto hog = weft::spawn([&] {
      while (!blocks) weft::this_fiber::yield();
      const weft::no_preempt whole;  // so no other fiber gets the processor back
      hogs = true;
      open.open();
      spin_until(done);
    });
    auto none = unstarted([&] {
      blocks = true;
      CHECK(open.wait() == 1);
      CHECK(hogs);
      set.set();
      CHECK(sent.try_send(1));
      CHECK(weft::select(weft::on_send(sent, 2, [](bool) {}), weft::on_default([] {})) == 0);
      weft::spawn([&] { spawned = true; }).detach();
      done = true;
    });
    CHECK_THROWS_AS(none.join(), std::system_error);
    weft::os::test_hooks.reserve_error = 0;
    hog.join();
    waits.join();
    CHECK(sent.receive() == 1);
    CHECK(sent.receive() == 2);
    until([&] { return spawned.load(); });
  });
}

TEST_CASE("a callable that is destroyed unrun may join a fiber that it has just spawned") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    std::atomic<int> ran{0};
    auto none = unstarted([&] {
      weft::spawn([&] { ++ran; }).join();
      weft::scope all;
      for (int i = 0; i < 3; ++i) all.spawn([&] { ++ran; });
    });
    CHECK_THROWS_AS(none.join(), std::system_error);
    weft::os::test_hooks.reserve_error = 0;
    CHECK(ran == 4);
  });
}

// Whatever it waits for comes from fibers that need this processor.
TEST_CASE("a callable that is destroyed unrun may wait, in a select and a channel, too") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::channel<int> one(0), two(0);
    auto none = unstarted([&] {
      CHECK(one.receive() == 1);
      CHECK(weft::select(weft::on_receive(two, [](std::optional<int> n) { CHECK(n == 2); }),
                         weft::on_timeout(std::chrono::hours(1), [] {})) == 0);
    });
    auto sends = weft::spawn([&] {
      CHECK(one.send(1));
      CHECK(two.send(2));
    });
    CHECK_THROWS_AS(none.join(), std::system_error);
    weft::os::test_hooks.reserve_error = 0;
    sends.join();
  });
}
