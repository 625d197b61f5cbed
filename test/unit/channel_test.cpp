// SPDX-License-Identifier: BSL-1.0
// unit/channel_test.cpp - sending, receiving, closing, giving up; Go's channel tests under their
// ideas' names.
#include <weft/channel.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/in_child.hpp"

using namespace std::chrono_literals;
using weft::channel_status;
using weft::test::agents;
using weft::test::on_all_agents;

namespace {

// Lets others run until condition(): events, not clocks.
template <class Condition>
void wait_until(Condition&& condition) {
  while (!condition()) weft::this_fiber::sleep_for(100us);
}

}  // namespace

TEST_CASE("channel [example]: a reader until closed and drained") {
  weft::run([] {
    weft::channel<std::string> lines(64);
    auto counter = weft::spawn([&] {
      std::size_t n = 0;
      for (auto& line : lines) n += line.size();
      return n;
    });
    CHECK(lines.send("hello"));
    CHECK(lines.send("world!"));
    lines.close();
    CHECK(counter.join() == 11);
  });
}

TEST_CASE("channel: smoke, without anybody waiting") {
  weft::channel<int> c(2);
  CHECK(c.capacity() == 2);
  CHECK(c.try_send(1));
  CHECK(c.send(2));
  CHECK(c.size() == 2);
  CHECK(!c.try_send(3));
  CHECK(c.receive() == 1);
  CHECK(c.try_send(3));
  CHECK(c.receive() == 2);
  CHECK(c.receive() == 3);
  CHECK(c.try_receive() == std::nullopt);
  CHECK(!c.closed());
  CHECK(c.close());
  CHECK(!c.close());
  CHECK(c.closed());
  CHECK(c.receive() == std::nullopt);
  CHECK(!c.send(4));
  CHECK(!c.try_send(4));
}

TEST_CASE("channel [ping-pong]: rendezvous on every kind of agent") {
  on_all_agents([](agents& s) {
    weft::channel<int> ping(0), pong(0);
    int sum = 0;
    s.start([&] {
      for (int i = 0; i < 500; ++i) {
        ping.send(i);
        sum += pong.receive().value();
      }
      ping.close();
    });
    s.start([&] {
      for (const int v : ping) pong.send(v + 1);
    });
    s.join();
    CHECK(sum == 500 * 501 / 2);
    CHECK(ping.size() == 0);
  });
}

TEST_CASE("channel: many to many, nothing lost, nothing doubled, each sender's order kept") {
  on_all_agents([](agents& s) {
    for (const std::size_t capacity : {0, 1, 10}) {
      CAPTURE(capacity);
      constexpr int senders = 5, each = 400, receivers = 4;
      weft::channel<std::pair<int, int>> c(capacity);
      std::atomic<int> sending{senders};
      std::vector<std::pair<int, int>> got[receivers];
      for (int p = 0; p < senders; ++p)
        s.start([&, p] {
          for (int i = 0; i < each; ++i)
            if (!c.send({p, i})) std::abort();
          if (sending.fetch_sub(1) == 1) c.close();
        });
      for (int r = 0; r < receivers; ++r)
        s.start([&, r] {
          for (auto& v : c) got[r].push_back(v);
        });
      s.join();
      std::vector<std::pair<int, int>> all;
      for (auto& g : got) {
        std::vector<int> last(senders, -1);
        for (auto [p, i] : g) {
          REQUIRE(last[p] < i);
          last[p] = i;
        }
        all.insert(all.end(), g.begin(), g.end());
      }
      std::sort(all.begin(), all.end());
      REQUIRE(all.size() == senders * each);
      CHECK(std::unique(all.begin(), all.end()) == all.end());
    }
  });
}

TEST_CASE("channel: a blocked receive ends with the close, and with the value sent before it") {
  on_all_agents([](agents& s) {
    weft::channel<int> c(1);
    std::optional<int> first, second = 5;
    s.start([&] {
      first = c.receive();
      second = c.receive();
    });
    s.start([&] {
      c.send(7);
      c.close();
    });
    s.join();
    CHECK(first == 7);
    CHECK(second == std::nullopt);
  });
}

TEST_CASE(
    "channel: blocked senders return false at the close, their values unmoved; the buffer is "
    "drained") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::channel<std::unique_ptr<int>> c(1);
    c.send(std::make_unique<int>(1));
    auto blocked = weft::spawn([&] {
      auto value = std::make_unique<int>(2);
      const bool sent = c.send(std::move(value));
      return !sent && value != nullptr && *value == 2;
    });
    weft::this_fiber::yield();
    c.close();
    CHECK(blocked.join());
    auto rest = c.receive();
    REQUIRE(rest.has_value());
    CHECK(**rest == 1);
    CHECK(!c.receive());
  });
}

TEST_CASE("channel: waiters are served in the order they came") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::channel<int> c(0);
    std::vector<weft::fiber<int>> receivers;
    for (int i = 0; i < 8; ++i) {
      receivers.push_back(weft::spawn([&] { return c.receive().value(); }));
      weft::this_fiber::yield();
    }
    for (int i = 0; i < 8; ++i) c.send(i);
    for (int i = 0; i < 8; ++i) CHECK(receivers[i].join() == i);

    std::vector<weft::fiber<void>> senders;
    for (int i = 0; i < 8; ++i) {
      senders.push_back(weft::spawn([&, i] { c.send(i); }));
      weft::this_fiber::yield();
    }
    for (int i = 0; i < 8; ++i) CHECK(c.receive() == i);
    for (auto& f : senders) f.join();
  });
}

TEST_CASE("channel: the buffer keeps order past senders that wait for room") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::channel<int> c(3);
    auto sender = weft::spawn([&] {
      for (int i = 0; i < 50; ++i) c.send(i);
      c.close();
    });
    int expected = 0;
    for (const int v : c) CHECK(v == expected++);
    CHECK(expected == 50);
    sender.join();
  });
}

TEST_CASE("channel: timed and stopped operations say why they ended") {
  on_all_agents([](agents& s) {
    s.start([] {
      weft::channel<int> c(1);
      CHECK(c.receive_for(1ms).status() == channel_status::timeout);
      CHECK(c.receive_until(std::chrono::steady_clock::now()).status() == channel_status::timeout);
      CHECK(c.receive_until(std::chrono::system_clock::now() + 1ms).status() ==
            channel_status::timeout);
      CHECK(c.send_for(1, 1h));
      CHECK(c.send_for(2, 1ms).status() == channel_status::timeout);
      CHECK(*c.receive_for(1h) == 1);
      std::stop_source stop;
      CHECK(c.receive_for(stop.get_token(), 1ms).status() == channel_status::timeout);
      stop.request_stop();
      CHECK(c.receive(stop.get_token()).status() == channel_status::stopped);
      CHECK(c.send(3, stop.get_token()));  // there is room: no reason to look at the token
      CHECK(c.send(4, stop.get_token()).status() == channel_status::stopped);
      CHECK(c.receive(stop.get_token()).value() == 3);
      c.close();
      CHECK(c.receive_for(1h).status() == channel_status::closed);
      CHECK(c.send_for(1, 1h).status() == channel_status::closed);
    });
    s.join();
  });
}

TEST_CASE("channel: a stop request ends a wait that has begun") {
  on_all_agents([](agents& s) {
    weft::channel<int> c(0);
    std::stop_source stop;
    std::atomic<bool> waiting{false};
    channel_status receive_end{}, send_end{};
    s.start([&] {
      waiting = true;
      receive_end = c.receive(stop.get_token()).status();
      send_end = c.send(1, stop.get_token()).status();
    });
    s.start([&] {
      wait_until([&] { return waiting.load(); });
      stop.request_stop();
    });
    s.join();
    CHECK(receive_end == channel_status::stopped);
    CHECK(send_end == channel_status::stopped);
  });
}

TEST_CASE(
    "channel: request_stop on the fiber does not end a plain receive, but one with its token") {
  weft::run([] {
    weft::channel<int> c(0);
    auto plain = weft::spawn([&] { return c.receive().value(); });
    plain.request_stop();
    auto stoppable =
        weft::spawn([&] { return c.receive(weft::this_fiber::stop_token()).status(); });
    stoppable.request_stop();
    CHECK(stoppable.join() == channel_status::stopped);
    c.send(3);
    CHECK(plain.join() == 3);
  });
}

TEST_CASE("channel: whoever got the value may destroy the channel at once") {
  on_all_agents([](agents& s) {
    for (int round = 0; round < 200; ++round) {
      auto* c = new weft::channel<int>(round % 2);
      std::atomic<int> got{0};
      s.start([c] { c->send(1); });
      s.start([c, &got] {
        got = c->receive().value();
        delete c;
      });
      s.join();
      REQUIRE(got == 1);
    }
  });
}

namespace {
struct throwing {
  explicit throwing(int v) : value(v) {}
  throwing(throwing&& o) : value(o.value) {
    if (value >= 0 && fuse > 0 && --fuse == 0) throw std::runtime_error("move");
    o.value = -1;
  }
  int value;
  static inline int fuse = 0;  // the move that throws; 0 never
};
}  // namespace

TEST_CASE("channel: a throwing move leaves the channel intact") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::channel<throwing> c(1);
    throwing::fuse = 1;
    throwing one(1);
    CHECK_THROWS_AS(c.send(std::move(one)), std::runtime_error);  // into the buffer
    CHECK(c.size() == 0);
    CHECK(c.send(std::move(one)));
    throwing::fuse = 1;
    CHECK_THROWS_AS(static_cast<void>(c.receive()), std::runtime_error);  // out of it
    CHECK(c.size() == 1);
    CHECK(c.receive()->value == 1);

    auto receiver = weft::spawn([&] { return c.receive()->value; });
    weft::this_fiber::yield();
    throwing two(2);
    throwing::fuse = 1;
    CHECK_THROWS_AS(c.send(std::move(two)), std::runtime_error);  // into a waiting receiver
    CHECK(c.send(throwing(3)));
    CHECK(receiver.join() == 3);

    // A waiting sender's value, moved by the receiver that made room for it: it is the sender's to
    // throw.
    CHECK(c.send(throwing(4)));
    auto sender = weft::spawn([&] {
      throwing five(5);
      try {
        c.send(std::move(five));
      } catch (const std::runtime_error&) {
        return five.value;
      }
      return 0;
    });
    weft::this_fiber::yield();
    throwing::fuse = 2;
    CHECK(c.receive()->value == 4);
    throwing::fuse = 1;
    CHECK(sender.join() == 5);
    CHECK(c.size() == 0);
  });
}

TEST_CASE("channel: one move receives a value; no second one can lose it") {
  weft::run([] {
    weft::channel<throwing> c(1);
    const auto with_one_move = [&](auto receive) {
      CHECK(c.send(throwing(7)));
      throwing::fuse = 2;
      CHECK(receive() == 7);
      CHECK(throwing::fuse == 1);
      throwing::fuse = 0;
    };
    with_one_move([&] { return c.receive()->value; });
    with_one_move([&] { return c.try_receive()->value; });
    with_one_move([&] { return c.receive_for(1h)->value; });
    with_one_move([&] { return (*c.begin()).value; });
  });
}

TEST_CASE("channel: destructors run for what was never received") {
  auto alive = std::make_shared<int>(1);
  {
    weft::channel<std::shared_ptr<int>> c(4);
    for (int i = 0; i < 3; ++i) c.send(alive);
    c.receive();
    CHECK(alive.use_count() == 3);
  }
  CHECK(alive.use_count() == 1);
}

TEST_CASE("channel: over-aligned and large elements; a capacity nobody has") {
  struct alignas(128) wide {
    char bytes[256];
  };
  weft::channel<wide> c(3);
  c.send(wide{});
  auto got = c.receive();
  CHECK(reinterpret_cast<std::uintptr_t>(&*got) % 128 == 0);
  CHECK_THROWS_AS(weft::channel<wide>(static_cast<std::size_t>(-1) / 128), std::length_error);
}

#ifndef NDEBUG
TEST_CASE("channel: destruction under a waiter is reported, with the waiter's name") {
  const auto end = weft::test::in_child([] {
    weft::options o;
    o.workers = 1;
    weft::run(o, [] {
      auto c = std::make_unique<weft::channel<int>>(0);
      weft::attributes a;
      a.name = "forgotten";
      auto f = weft::spawn(a, [&] { return c->receive(); });
      weft::this_fiber::yield();
      c.reset();
      f.join();
    });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.errors.find("\"forgotten\" receives from it") != std::string::npos);
}
#endif
