// SPDX-License-Identifier: BSL-1.0
// unit/port_go_chan_test.cpp - what Go's runtime asks of channels and select in its own tests, by
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

TEST_CASE("port go: every capacity: order, blocking, close, drained") {
  on_all_agents([](agents& s) {
    for (const std::size_t capacity : {0, 1, 2, 10, 100}) {
      CAPTURE(capacity);
      {  // receive blocks until there is something; so does a select
        weft::channel<int> c(capacity);
        CHECK(c.try_receive() == std::nullopt);
        CHECK(weft::select(weft::on_receive(c, drop), weft::on_default(nothing)) == 1);
        s.start([&] { CHECK(c.receive() == 7); });
        s.start([&] { CHECK(c.send(7)); });
        s.join();
      }
      {  // sending into a full one blocks
        weft::channel<int> c(capacity);
        for (std::size_t i = 0; i < capacity; ++i) CHECK(c.try_send(static_cast<int>(i)));
        CHECK(!c.try_send(0));
        CHECK(weft::select(weft::on_send(c, 0, sent), weft::on_default(nothing)) == 1);
        CHECK(c.size() == capacity);
      }
      {  // the end is after the last value, and stays
        weft::channel<int> c(capacity);
        s.start([&] {
          for (int i = 0; i < 100; ++i) CHECK(c.send(i));
          CHECK(c.close());
          CHECK(!c.close());
          CHECK(!c.send(1));
        });
        s.start([&] {
          for (int i = 0; i < 100; ++i) CHECK(c.receive() == i);
          for (int i = 0; i < 3; ++i) CHECK(c.receive() == std::nullopt);
        });
        s.join();
      }
      {  // four to four, nothing lost, nothing doubled
        weft::channel<int> c(capacity);
        constexpr int parties = 4, each = 250;
        std::vector<std::atomic<int>> seen(parties * each);
        weft::wait_group senders;
        senders.add(parties);
        for (int p = 0; p < parties; ++p) {
          s.start([&, p] {
            for (int i = 0; i < each; ++i) c.send(p * each + i);
            senders.done();
          });
          s.start([&] {
            for (const int v : c) ++seen[static_cast<std::size_t>(v)];
          });
        }
        s.start([&] {
          senders.wait();
          c.close();
        });
        s.join();
        for (auto& n : seen) CHECK(n == 1);
      }
    }
  });
}

TEST_CASE(
    "port go: four channels of different capacities, by plain calls and by select, in all four "
    "roles") {
  on_all_agents([](agents& s) {
    std::array<std::unique_ptr<weft::channel<int>>, 4> c;
    constexpr std::size_t capacities[] = {0, 0, 2, 3};
    for (std::size_t i = 0; i < 4; ++i) c[i] = std::make_unique<weft::channel<int>>(capacities[i]);
    const int n = static_cast<int>(scaled(1500));
    for (std::size_t k = 0; k < 4; ++k) {
      s.start([&, k] {
        for (int i = 0; i < n; ++i) c[k]->send(0);
      });
      s.start([&, k] {
        for (int i = 0; i < n; ++i) CHECK(c[k]->receive() == 0);
      });
    }
    s.start([&] {  // n more into each, whichever takes one
      std::array<int, 4> left{n, n, n, n};
      weft::channel<int> never(0);
      for (int open = 4; open > 0;) {
        const auto at = [&](std::size_t k) -> weft::channel<int>& {
          return left[k] > 0 ? *c[k] : never;
        };
        const std::size_t k =
            weft::select(weft::on_send(at(0), 0, sent), weft::on_send(at(1), 0, sent),
                         weft::on_send(at(2), 0, sent), weft::on_send(at(3), 0, sent));
        if (--left[k] == 0) --open;
      }
    });
    s.start([&] {  // n more out of each
      weft::selector in;
      std::array<int, 4> left{n, n, n, n};
      int open = 4;
      for (std::size_t k = 0; k < 4; ++k)
        in.add(weft::on_receive(*c[k], [&, k](std::optional<int> v) {
          CHECK(v == 0);
          if (--left[k] == 0) {
            in.disable(k);
            --open;
          }
        }));
      while (open > 0) in.select();
    });
    s.join();
    for (auto& channel : c) CHECK(channel->size() == 0);
  });
}

TEST_CASE("port go: a channel of channels, closed from within one another") {
  on_all_agents([](agents& s) {
    using inner = std::shared_ptr<weft::channel<int>>;
    weft::channel<inner> requests(0);
    s.start([&] {
      for (const inner& reply : requests) {
        for (int i = 0; i < 3; ++i) reply->send(i);
        reply->close();
      }
    });
    s.start([&] {
      for (int round = 0; round < 50; ++round) {
        const auto reply = std::make_shared<weft::channel<int>>(round % 2);
        requests.send(inner(reply));
        int sum = 0;
        for (const int v : *reply) sum += v;
        CHECK(sum == 3);
      }
      requests.close();
    });
    s.join();
  });
}

// Closing while others wait for it in every way at once: everybody ends, each exactly once.
TEST_CASE("port go: close wakes plain receivers, senders, selects and those who come later") {
  on_all_agents([](agents& s) {
    for (int round = 0; round < 50; ++round) {
      weft::channel<int> in(0), out(0), never(0);
      std::atomic<int> ended{0};
      for (int i = 0; i < 3; ++i) {
        s.start([&] { ended += in.receive() == std::nullopt; });
        s.start([&] { ended += !out.send(1); });
        s.start([&] {
          weft::select(weft::on_receive(never, drop),
                       weft::on_receive(in, [&](std::optional<int> v) { ended += !v; }));
        });
        s.start([&] {
          weft::select(weft::on_send(out, 1, [&](bool ok) { ended += !ok; }),
                       weft::on_receive(never, drop));
        });
      }
      s.start([&] {
        in.close();
        out.close();
      });
      s.join();
      CHECK(ended == 12);
    }
  });
}

TEST_CASE("port go: several workers between two channels: every item once, the sum right") {
  on_all_agents([](agents& s) {
    constexpr int workers = 5;
    const int n = static_cast<int>(scaled(2000));
    weft::channel<int> q(n / 10 + 1), r(n / 10 + 1);
    weft::wait_group group;
    group.add(workers);
    for (int w = 0; w < workers; ++w)
      s.start([&] {
        for (const int v : q) {
          if (v % 7 == 0) weft::this_fiber::yield();
          r.send(v * 2);
        }
        group.done();
      });
    long expected = 0, sum = 0;
    for (int i = 0; i < n; ++i) expected += 2 * i;
    s.start([&] {
      for (int i = 0; i < n; ++i) q.send(i);
      q.close();
      group.wait();
      r.close();
    });
    s.start([&] {
      for (const int v : r) sum += v;
    });
    s.join();
    CHECK(sum == expected);
  });
}

// A chain of filters, each a fiber with its own channels, grown while it runs.
TEST_CASE("port go: the sieve of primes, rendezvous and buffered") {
  weft::test::each_fiber([] {
    for (const std::size_t capacity : {0, 3}) {
      using link = std::shared_ptr<weft::channel<int>>;
      std::vector<weft::fiber<void>> all;
      link in = std::make_shared<weft::channel<int>>(capacity);
      all.push_back(weft::spawn([to = in] {
        for (int i = 2; to->send(i); ++i) {
        }
      }));
      std::vector<int> primes;
      std::vector<link> links{in};
      while (primes.size() < 60) {
        const int prime = in->receive().value();
        primes.push_back(prime);
        link out = std::make_shared<weft::channel<int>>(capacity);
        links.push_back(out);
        all.push_back(weft::spawn([from = in, out, prime] {
          for (const int v : *from)
            if (v % prime != 0 && !out->send(v)) break;
        }));
        in = out;
      }
      CHECK(primes[0] == 2);
      CHECK(primes[59] == 281);
      for (auto& l : links) l->close();
      for (auto& f : all) f.join();
    }
  });
}

// A long chain: a value handed through thousands of fibers.
TEST_CASE("port go: a daisy chain") {
  weft::test::each_fiber([] {
    const int n = static_cast<int>(scaled(20'000));
    std::vector<std::unique_ptr<weft::channel<int>>> c;
    for (int i = 0; i <= n; ++i) c.push_back(std::make_unique<weft::channel<int>>(0));
    std::vector<weft::fiber<void>> all;
    for (int i = 0; i < n; ++i)
      all.push_back(weft::spawn([&, i] {
        c[static_cast<std::size_t>(i)]->send(1 +
                                             c[static_cast<std::size_t>(i) + 1]->receive().value());
      }));
    c.back()->send(0);
    CHECK(c.front()->receive() == n);
    for (auto& f : all) f.join();
  });
}
