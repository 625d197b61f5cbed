// SPDX-License-Identifier: BSL-1.0
// unit/port_go_select_test.cpp - what Go's runtime asks of select in its own tests, by
// renaming: `go f()` -> an execution agent, `ch <- v` -> send, `<-ch` -> receive, `select` ->
// weft::select. Written after the ideas of those tests. What differs: a send into a closed channel
// returns false (Go panics), and so does closing twice.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <vector>

#include <weft/channel.hpp>
#include <weft/select.hpp>
#include <weft/this_fiber.hpp>
#include <weft/wait_group.hpp>

#include "support/agents.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;
using weft::test::scaled;

namespace {
const auto nothing = [] {};
const auto drop = [](std::optional<int>) {};
const auto sent = [](bool ok) { CHECK(ok); };
}  // namespace

// A select with a default must not say "nothing" while one of its channels has been ready since
// before it began.
TEST_CASE("port go: a select with a default finds what is ready, while others take the rest") {
  on_all_agents([](agents& s) {
    for (std::size_t round = 0; round < scaled(1000); ++round) {
      weft::channel<int> a(1), b(1), done(1);
      a.send(1);
      s.start([&] {
        bool found = true;
        weft::select(weft::on_receive(a, drop), weft::on_receive(b, drop),
                     weft::on_default([&] { found = false; }));
        done.send(found);
      });
      b.send(1);
      weft::select(weft::on_receive(a, drop), weft::on_default(nothing));
      CHECK(done.receive() == 1);
      s.join();
    }
  });
}

TEST_CASE("port go: the same with a channel that is closed instead of filled") {
  on_all_agents([](agents& s) {
    for (std::size_t round = 0; round < scaled(1000); ++round) {
      weft::channel<int> a(1), b(0), done(1);
      a.send(1);
      s.start([&] {
        bool found = true;
        weft::select(weft::on_receive(a, drop), weft::on_receive(b, drop),
                     weft::on_default([&] { found = false; }));
        done.send(found);
      });
      b.close();
      weft::select(weft::on_receive(a, drop), weft::on_default(nothing));
      CHECK(done.receive() == 1);
      s.join();
    }
  });
}

TEST_CASE("port go: a select takes each of two that are always ready, never leaving one out") {
  on_all_agents([](agents& s) {
    constexpr int trials = 2000;
    weft::channel<int> a(trials + 1), b(trials + 1), c(0), d(0), done(0);
    for (int i = 0; i <= trials; ++i) a.send(1), b.send(2);
    int from_a = 0, from_b = 0;
    s.start([&] {
      for (int i = 0; i < trials; ++i)
        weft::select(weft::on_receive(a, [&](std::optional<int>) { ++from_a; }),
                     weft::on_receive(c, drop),
                     weft::on_receive(b, [&](std::optional<int>) { ++from_b; }),
                     weft::on_receive(d, drop), weft::on_receive(done, drop));
    });
    s.join();
    CHECK(from_a + from_b == trials);
    CHECK(std::abs(from_a - from_b) < trials / 5);  // 9 sigma
  });
}

// Pseudo-random send: both values come out of a select with two sends to one channel.
TEST_CASE("port go: of two sends to one channel both are chosen") {
  on_all_agents([](agents& s) {
    for (const std::size_t capacity : {0, 1}) {
      weft::channel<int> c(capacity);
      constexpr int n = 1000;
      std::vector<int> got;
      s.start([&] {
        for (int i = 0; i < n; ++i) {
          weft::this_fiber::yield();
          got.push_back(c.receive().value());
        }
      });
      s.start([&] {
        for (int i = 0; i < n; ++i)
          weft::select(weft::on_send(c, 0, sent), weft::on_send(c, 1, sent));
      });
      s.join();
      const auto ones = std::count(got.begin(), got.end(), 1);
      CHECK(ones > n / 10);
      CHECK(ones < n - n / 10);
    }
  });
}

// Sends and receives of one channel in one select, from two sides: nobody meets himself.
TEST_CASE("port go: a select that sends and receives on one channel never gets its own value") {
  on_all_agents([](agents& s) {
    for (const std::size_t capacity : {0, 10}) {
      weft::channel<int> c(capacity);
      weft::wait_group parties;
      parties.add(2);
      std::atomic<int> own{0};
      for (int p = 0; p < 2; ++p)
        s.start([&, p] {
          for (int i = 0; i < 500; ++i) {
            const auto not_mine = [&](std::optional<int> v) {
              own += capacity == 0 && v && *v == p;
            };
            if (p == 0 || i % 2 == 0)
              weft::select(weft::on_send(c, p, sent), weft::on_receive(c, not_mine));
            else
              weft::select(weft::on_receive(c, not_mine), weft::on_send(c, p, sent));
          }
          parties.done();
        });
      // One side may end with the other still in a turn: it is met until both have ended.
      s.start([&] {
        while (!parties.wait_for(0s))
          weft::select(weft::on_send(c, 2, sent), weft::on_receive(c, drop),
                       weft::on_timeout(1ms, nothing));
      });
      s.join();
      CHECK(own == 0);
    }
  });
}

// A duplicated select on one channel with a timer: the timer's case does not swallow a value.
TEST_CASE("port go: a select beside a short time loses no value") {
  on_all_agents([](agents& s) {
    weft::channel<int> c(0);
    const int n = static_cast<int>(scaled(500));
    int got = 0;
    s.start([&] {
      for (int i = 0; i < n; ++i) {
        weft::this_fiber::sleep_for(20us);
        c.send(i);
      }
      c.close();
    });
    s.start([&] {
      for (bool open = true; open;)
        weft::select(weft::on_receive(c,
                                      [&](std::optional<int> v) {
                                        if (v) CHECK(*v == got++);
                                        open = v.has_value();
                                      }),
                     weft::on_timeout(15us, nothing));
    });
    s.join();
    CHECK(got == n);
  });
}
