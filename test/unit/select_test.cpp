// SPDX-License-Identifier: BSL-1.0
// unit/select_test.cpp - one of several: which, how fairly, and never two; Go's select tests by
// their ideas.
#include <weft/select.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <weft/this_fiber.hpp>

#include "support/agents.hpp"

using namespace std::chrono_literals;
using weft::test::agents;
using weft::test::on_all_agents;

namespace {
const auto nothing = [] {};
}

TEST_CASE("select [example]: jobs, results, a stop request and a time") {
  weft::run([] {
    weft::channel<int> jobs(4), results(4);
    std::string log;
    auto worker = weft::spawn([&] {
      std::optional<int> next;
      for (bool open = true; open;) {
        if (next)
          weft::select(weft::on_send(results, *next,
                                     [&](bool sent) { log += sent ? 's' : 'x', next.reset(); }),
                       weft::on_stop(weft::this_fiber::stop_token(), [&] { open = false; }));
        else
          weft::select(weft::on_receive(jobs,
                                        [&](std::optional<int> j) {
                                          log += j ? 'r' : 'c';
                                          open = j.has_value();
                                          if (j) next = *j * *j;
                                        }),
                       weft::on_stop(weft::this_fiber::stop_token(), [&] { open = false; }),
                       weft::on_timeout(1h, [&] { open = false; }));
      }
    });
    for (int i = 1; i < 4; ++i) jobs.send(i);
    for (int i = 1; i < 4; ++i) CHECK(results.receive() == i * i);
    jobs.close();
    worker.join();
    CHECK(log == "rsrsrsc");
  });
}

TEST_CASE("select: default only when nothing is ready") {
  weft::channel<int> c(1);
  std::optional<int> got;
  const auto keep = [&](std::optional<int> v) { got = v; };
  CHECK(weft::select(weft::on_receive(c, keep), weft::on_default(nothing)) == 1);
  CHECK(weft::select(weft::on_send(c, 5, [](bool sent) { CHECK(sent); }),
                     weft::on_default(nothing)) == 0);
  CHECK(weft::select(weft::on_send(c, 6, [](bool) {}), weft::on_default(nothing)) == 1);
  CHECK(weft::select(weft::on_default(nothing), weft::on_receive(c, keep)) == 1);
  CHECK(got == 5);
  c.close();
  CHECK(weft::select(weft::on_receive(c, keep), weft::on_default(nothing)) == 0);
  CHECK(got == std::nullopt);
  bool sent = true;
  CHECK(weft::select(weft::on_send(c, 6, [&](bool s) { sent = s; }), weft::on_default(nothing)) ==
        0);
  CHECK(!sent);
}

TEST_CASE("select: each ready case is chosen as often as the others") {
  weft::channel<int> c[4] = {weft::channel<int>(1), weft::channel<int>(1), weft::channel<int>(1),
                             weft::channel<int>(1)};
  int taken[4] = {};
  for (const int i : {0, 2, 3}) c[i].send(i);
  constexpr int rounds = 9000;
  for (int n = 0; n < rounds; ++n) {
    const auto keep = [](std::optional<int>) {};
    const auto i = weft::select(weft::on_receive(c[0], keep), weft::on_receive(c[1], keep),
                                weft::on_receive(c[2], keep), weft::on_receive(c[3], keep));
    ++taken[i];
    c[i].send(0);
  }
  CHECK(taken[1] == 0);
  for (const int i : {0, 2, 3}) CHECK(std::abs(taken[i] - rounds / 3) < rounds / 15);  // 10 sigma
}

TEST_CASE("select: two selects that want each other meet exactly once per round") {
  on_all_agents([](agents& s) {
    weft::channel<int> a(0), b(0);
    constexpr int rounds = 2000;
    int sent[2] = {}, received[2] = {};
    const auto side = [&](weft::channel<int>& out, weft::channel<int>& in, int me) {
      for (int i = 0; i < rounds; ++i)
        weft::select(
            weft::on_send(out, i, [&](bool ok) { sent[me] += ok; }),
            weft::on_receive(in, [&](std::optional<int> v) { received[me] += v.has_value(); }));
    };
    s.start([&] { side(a, b, 0); });
    s.start([&] { side(b, a, 1); });
    s.join();
    CHECK(sent[0] == received[1]);
    CHECK(sent[1] == received[0]);
    CHECK(sent[0] + received[0] == rounds);
  });
}

TEST_CASE("select: many selects over many channels lose and double nothing") {
  on_all_agents([](agents& s) {
    constexpr int channels = 4, each = 1000, readers = 3;
    std::vector<std::unique_ptr<weft::channel<int>>> c;
    for (int i = 0; i < channels; ++i) c.push_back(std::make_unique<weft::channel<int>>(i));
    std::atomic<long> sum{0}, count{0};
    weft::channel<int> stop(0);
    for (int r = 0; r < readers; ++r)
      s.start([&] {
        const auto keep = [&](std::optional<int> v) { sum += v.value(), ++count; };
        for (bool on = true; on;)
          weft::select(weft::on_receive(*c[0], keep), weft::on_receive(*c[1], keep),
                       weft::on_receive(*c[2], keep), weft::on_receive(*c[3], keep),
                       weft::on_receive(stop, [&](std::optional<int>) { on = false; }));
      });
    std::atomic<int> left{channels};
    for (int p = 0; p < channels; ++p)
      s.start([&, p] {
        for (int i = 0; i < each; ++i) c[p]->send(i);
        if (--left == 0) {
          for (auto& d : c)
            while (d->size() > 0) weft::this_fiber::sleep_for(100us);
          stop.close();
        }
      });
    s.join();
    CHECK(count == channels * each);
    CHECK(sum == long{channels} * each * (each - 1) / 2);
  });
}

TEST_CASE("select: a channel in two cases, as sender and receiver, never meets itself") {
  on_all_agents([](agents& s) {
    weft::channel<int> c(0);
    constexpr int rounds = 500;
    std::atomic<int> sent{0}, received{0};
    for (int n = 0; n < 2; ++n)
      s.start([&] {
        for (int i = 0; i < rounds; ++i)
          weft::select(weft::on_send(c, i, [&](bool) { ++sent; }),
                       weft::on_receive(c, [&](std::optional<int>) { ++received; }));
      });
    s.join();
    CHECK(sent == rounds);
    CHECK(received == rounds);
  });
}

TEST_CASE("select: a fiber's end, a stop request, a time, each ends a wait that has begun") {
  on_all_agents([](agents& s) {
    s.start([] {
      weft::channel<int> never(0);
      const auto drop = [](std::optional<int>) { FAIL("nobody sends"); };
      weft::channel<int> go(0);
      auto child = weft::spawn([&] { return go.receive().value() + 1; });
      auto helper = weft::spawn([&] { go.send(1); });
      CHECK(weft::select(weft::on_receive(never, drop), weft::on_join(child, nothing),
                         weft::on_join(child, nothing)) >= 1);
      CHECK(child.join() == 2);
      helper.join();

      std::stop_source stop;
      auto stopper = weft::spawn([&] { stop.request_stop(); });
      CHECK(weft::select(weft::on_receive(never, drop), weft::on_stop(stop.get_token(), nothing)) ==
            1);
      CHECK(weft::select(weft::on_stop(stop.get_token(), nothing), weft::on_receive(never, drop)) ==
            0);
      stopper.join();

      const auto before = std::chrono::steady_clock::now();
      CHECK(weft::select(weft::on_timeout(1h, nothing), weft::on_deadline(before + 2ms, nothing),
                         weft::on_receive(never, drop)) == 1);
      CHECK(std::chrono::steady_clock::now() >= before + 2ms);
      CHECK(weft::select(weft::on_timeout(0s, nothing), weft::on_receive(never, drop)) == 0);
    });
    s.join();
  });
}

TEST_CASE("select: closing a channel ends the selects that wait in it") {
  on_all_agents([](agents& s) {
    weft::channel<int> in(0), out(0), other(0);
    bool closed = false, refused = false;
    s.start([&] {
      weft::select(weft::on_receive(other, [](std::optional<int>) {}),
                   weft::on_receive(in, [&](std::optional<int> v) { closed = !v; }));
      weft::select(weft::on_receive(other, [](std::optional<int>) {}),
                   weft::on_send(out, 1, [&](bool sent) { refused = !sent; }));
    });
    s.start([&] {
      in.close();
      out.close();
    });
    s.join();
    CHECK(closed);
    CHECK(refused);
  });
}

TEST_CASE("select: timers and tickers as cases") {
  on_all_agents([](agents& s) {
    s.start([] {
      weft::timer t(1ms), idle;
      weft::ticker every(1ms);
      weft::channel<int> never(0);
      CHECK(weft::select(weft::on_timer(idle, nothing), weft::on_timer(t, nothing)) == 1);
      CHECK(weft::select(weft::on_timer(t, nothing), weft::on_default(nothing)) == 1);  // taken
      for (int i = 0; i < 3; ++i)
        CHECK(weft::select(weft::on_receive(never, [](std::optional<int>) {}),
                           weft::on_tick(every, nothing)) == 1);

      t.reset(1h);
      auto sooner = weft::spawn([&] { t.reset(1ms); });
      CHECK(weft::select(weft::on_timer(t, nothing),
                         weft::on_receive(never, [](std::optional<int>) {})) == 0);
      sooner.join();
    });
    s.join();
  });
}

TEST_CASE("select [selector]: cases known at run time, more than fit on the stack") {
  on_all_agents([](agents& s) {
    constexpr int n = 40;
    std::vector<std::unique_ptr<weft::channel<int>>> channels;
    for (int i = 0; i < n; ++i) channels.push_back(std::make_unique<weft::channel<int>>(0));
    std::vector<int> got(n);
    s.start([&] {
      weft::selector inputs;
      int open = n;
      for (int i = 0; i < n; ++i)
        inputs.add(weft::on_receive(*channels[i], [&, i](std::optional<int> v) {
          if (v) {
            got[i] += *v;
          } else {
            inputs.disable(i);
            --open;
          }
        }));
      while (open > 0) inputs.select();
    });
    s.start([&] {
      for (int round = 1; round <= 3; ++round)
        for (auto& c : channels) c->send(round);
      for (auto& c : channels) c->close();
    });
    s.join();
    for (const int g : got) CHECK(g == 6);
  });
}

TEST_CASE("select [selector]: a send case is good for one value; no case is an error") {
  weft::channel<std::unique_ptr<int>> c(2);
  weft::selector out;
  out.add(weft::on_send(c, std::make_unique<int>(1), [](bool sent) { CHECK(sent); }));
  out.add(weft::on_default(nothing));
  CHECK(out.select() == 0);
  CHECK(out.select() == 1);
  CHECK(c.size() == 1);
  weft::selector none;
  CHECK_THROWS_AS(none.select(), std::invalid_argument);
  CHECK_THROWS_AS(static_cast<void>(weft::on_join(weft::fiber<int>(), nothing)), std::system_error);
}

namespace {
struct throwing {
  explicit throwing(int v) : value(v) {}
  throwing(throwing&& o) : value(o.value) {
    if (fuse > 0 && --fuse == 0) throw std::runtime_error("move");
  }
  int value;
  static inline int fuse = 0;
};
}  // namespace

TEST_CASE("select: a throwing move into a waiting select leaves it waiting") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::channel<throwing> a(0), b(0);
    int got = 0;
    auto waiting = weft::spawn([&] {
      const auto keep = [&](std::optional<throwing> v) { got = v->value; };
      return weft::select(weft::on_receive(a, keep), weft::on_receive(b, keep));
    });
    weft::this_fiber::yield();
    throwing one(1);
    throwing::fuse = 1;
    CHECK_THROWS_AS(a.send(std::move(one)), std::runtime_error);
    CHECK(b.send(throwing(2)));
    CHECK(waiting.join() == 1);
    CHECK(got == 2);
  });
}

TEST_CASE(
    "select [CHAN-6]: a move that throws leaves the receiver it had claimed in line, wherever the "
    "select was") {
  static std::atomic<bool> armed;
  struct picky {
    picky() = default;
    picky(picky&&) {
      if (armed) throw std::runtime_error("move");
    }
    picky& operator=(picky&&) = default;
  };
  // Many channels: between its first look and the one under all locks there is time for a receiver
  // to come.
  constexpr std::size_t channels = 100, rounds = 1500;
  for (const bool waits : {false, true}) {
    weft::options o;
    o.workers = 2;
    weft::run(o, [&] {
      std::vector<std::unique_ptr<weft::channel<picky>>> c;
      for (std::size_t i = 0; i < channels; ++i)
        c.push_back(std::make_unique<weft::channel<picky>>());
      weft::selector sends;
      armed = false;
      for (auto& to : c) sends.add(weft::on_send(*to, picky(), [](bool) {}));
      if (!waits) sends.add(weft::on_default([] {}));
      armed = true;
      std::atomic<bool> done{false};
      std::atomic<std::uint64_t> came{0};
      auto receiver = weft::spawn([&] {
        while (!done) {
          try {
            const auto end = c[0]->receive_for(20us);
            CHECK(end.status() == weft::channel_status::timeout);
          } catch (const std::runtime_error&) {
          }
          ++came;
        }
      });
      for (std::size_t i = 0; i < rounds; ++i) {
        try {
          sends.select();
        } catch (const std::runtime_error&) {
        }
        if (i % 100 == 0) {  // whoever was claimed goes on
          const std::uint64_t seen = came;
          while (came == seen) weft::this_fiber::yield();
        }
      }
      done = true;
      receiver.join();
    });
  }
}

TEST_CASE(
    "select: of several cases of one channel none stays behind when another channel's is taken") {
  weft::options o;
  o.workers = 1;
  weft::run(o, [] {
    weft::channel<int> twice(0), other(0);
    const auto ignore = [](std::optional<int>) {};
    auto selects = weft::spawn([&] {
      return weft::select(weft::on_receive(twice, ignore), weft::on_receive(other, ignore),
                          weft::on_receive(twice, ignore));
    });
    weft::this_fiber::yield();  // it waits
    auto behind = weft::spawn([&] { return twice.receive(); });
    weft::this_fiber::yield();
    CHECK(other.send(7));
    CHECK(twice.send(8));  // not to the select, which waits no more
    CHECK(selects.join() == 1);
    CHECK(behind.join() == 8);
  });
}
