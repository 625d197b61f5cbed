// SPDX-License-Identifier: BSL-1.0
// unit/scope_deadline_test.cpp - a scope with a deadline asks its children to stop, and the nearest
// deadline counts.
#include <weft/scope.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>

#include <weft/channel.hpp>
#include <weft/this_fiber.hpp>

#include "support/agents.hpp"

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using weft::wait_result;
using weft::test::agents;
using weft::test::on_all_agents;
namespace this_fiber = weft::this_fiber;

constexpr auto none = clock_type::time_point::max();

TEST_CASE("scope_deadline [example]: what is not done by then is asked to stop") {
  on_all_agents([](agents& s) {
    s.start([] {
      const auto deadline = clock_type::now() + 5ms;
      wait_result slow{};
      bool quick = false;
      {
        weft::scope children(weft::scope_deadline{deadline});
        children.spawn([&] { slow = this_fiber::sleep_for(1h); });
        children.spawn([&] { quick = true; });  // has to be asked for nothing
      }
      CHECK(slow == wait_result::stopped);
      CHECK(quick);
      CHECK(clock_type::now() >= deadline);
    });
    s.join();
  });
}

TEST_CASE(
    "scope_deadline: it comes while the owner is busy elsewhere, and reaches a token's wait") {
  weft::run([] {
    weft::channel<int> never(0), ended(1);
    weft::scope children(weft::scope_deadline{clock_type::now() + 2ms});
    children.spawn([&] {
      const auto end = never.receive(this_fiber::stop_token()).status();
      ended.send(end == weft::channel_status::stopped);
    });
    CHECK(ended.receive() == 1);  // the owner is not in join
    CHECK(children.stop_requested());
    children.spawn([] { CHECK(this_fiber::stop_requested()); });
  });
}

TEST_CASE("scope_deadline: the nearest wins through nesting") {
  weft::run([] {
    const auto near = clock_type::now() + 1h, far = near + 1h;
    CHECK(this_fiber::deadline() == none);
    weft::scope outer(weft::scope_deadline{near});
    CHECK(this_fiber::deadline() == none);  // the owner is no child
    outer.spawn([&] {
      CHECK(this_fiber::deadline() == near);
      weft::scope plain;
      plain.spawn([&] { CHECK(this_fiber::deadline() == near); });
      weft::scope later(weft::scope_deadline{far});
      later.spawn([&] { CHECK(this_fiber::deadline() == near); });
      weft::scope sooner(weft::scope_limit{1}, weft::scope_deadline{near - 1min});
      sooner.spawn([&] { CHECK(this_fiber::deadline() == near - 1min); });
      // no child of a scope
      CHECK(weft::spawn([] { return this_fiber::deadline(); }).join() == none);
    });
    outer.join();
    CHECK(!outer.stop_requested());
  });
}

TEST_CASE("scope_deadline: passes through a scope without one") {
  weft::run([] {
    wait_result inner{};
    weft::scope outer(weft::scope_deadline{clock_type::now() + 2ms});
    outer.spawn([&] {
      weft::scope plain;
      plain.spawn([&] { inner = this_fiber::sleep_for(1h); });
    });
    outer.join();
    CHECK(inner == wait_result::stopped);
  });
}

TEST_CASE("scope_deadline: in the past, at the end of time, and left by an exception") {
  weft::run([] {
    std::atomic<int> stopped{0};
    {
      weft::scope late(weft::scope_deadline{clock_type::now() - 1s});
      late.spawn([&] { stopped += this_fiber::sleep_for(1h) == wait_result::stopped; });
    }
    CHECK(stopped == 1);
    {
      weft::scope endless(weft::scope_deadline{none});
      endless.spawn([] {});
    }
    try {
      weft::scope left(weft::scope_deadline{clock_type::now() + 1h});
      left.spawn([&] { stopped += this_fiber::sleep_for(1h) == wait_result::stopped; });
      throw std::runtime_error("left");
    } catch (const std::runtime_error&) {
    }
    CHECK(stopped == 2);
  });
}

TEST_CASE("scope_deadline: reaches the children while the owner waits for a place") {
  weft::run([] {
    std::atomic<int> stopped{0};
    {
      weft::scope outer(weft::scope_deadline{clock_type::now() + 5ms});
      outer.spawn([&] {
        weft::scope inner(weft::scope_limit{2});
        for (int i = 0; i < 4; ++i)
          inner.spawn([&] { stopped += this_fiber::sleep_for(1h) == wait_result::stopped; });
      });
    }
    CHECK(stopped == 4);
  });
}

TEST_CASE("scope_deadline: of a scope around it, while the owner waits for something else") {
  weft::run([] {
    weft::channel<int> ended(1);
    weft::scope outer(weft::scope_deadline{clock_type::now() + 2ms});
    outer.spawn([&] {
      weft::scope inner;
      inner.spawn([&] { ended.send(this_fiber::sleep_for(1h) == wait_result::stopped); });
      CHECK(ended.receive() == 1);  // the owner is not in join
      CHECK(inner.stop_requested());
    });
    outer.join();
  });
}

TEST_CASE(
    "scope_deadline: once it has passed children start with their stop requested, whoever has "
    "noticed it") {
  weft::options o;
  o.workers = 1;  // the fiber that keeps the deadline cannot run before the child
  o.time_slice = 0ms;
  weft::run(o, [] {
    int asked = 0;
    weft::scope past(weft::scope_deadline{clock_type::now() - 1s});
    CHECK(past.stop_requested());
    past.spawn([&] { asked += this_fiber::stop_requested(); });
    CHECK(past.try_spawn([&] { asked += this_fiber::stop_requested(); }));
    past.join();
    weft::scope soon(weft::scope_deadline{clock_type::now() + 1ms});
    soon.spawn([&] {
      while (clock_type::now() <= this_fiber::deadline()) {
      }
      weft::scope inner;  // inherits it
      inner.spawn([&] { asked += this_fiber::stop_requested(); });
      inner.join();
    });
    soon.join();
    CHECK(asked == 3);
  });
}
