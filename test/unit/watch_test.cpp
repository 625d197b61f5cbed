// SPDX-License-Identifier: BSL-1.0
// unit/watch_test.cpp - the latest value arrives, and the end of all changes.
#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include <weft/weft.hpp>

using namespace std::chrono_literals;

TEST_CASE("watch: a receiver sees the latest value once, and has seen what it began with") {
  weft::run([] {
    weft::watch<std::string> state("new");
    auto r = state.subscribe();
    CHECK(!r.has_changed());
    CHECK(!r.changed_for(1ms));
    CHECK(r.get() == "new");
    CHECK(state.send("a"));
    CHECK(state.send("b"));
    CHECK(r.has_changed());
    CHECK(r.changed());
    CHECK(r.get() == "b");
    CHECK(!r.has_changed());
    auto copy = r;
    CHECK(state.update([](std::string& s) { s += "c"; }));
    CHECK(copy.changed());
    CHECK(copy.get() == "bc");
    CHECK(r.has_changed());
    CHECK_THROWS_AS(state.update([](std::string&) { throw std::runtime_error("no"); }),
                    std::runtime_error);
    CHECK(!copy.has_changed());
  });
}

TEST_CASE("watch: closing ends the waits, after the last value") {
  weft::run([] {
    weft::watch<int> n(0);
    std::vector<weft::fiber<int>> followers;
    for (int i = 0; i < 10; ++i)
      followers.push_back(weft::spawn([r = n.subscribe()]() mutable {
        int last = 0;
        while (r.changed()) {
          const int now = r.get();
          CHECK(now > last);
          last = now;
        }
        return last;
      }));
    for (int i = 1; i <= 200; ++i) {
      n.send(i);
      if (i % 10 == 0) weft::this_fiber::yield();
    }
    n.close();
    CHECK(n.closed());
    CHECK(!n.send(7));
    for (auto& f : followers) CHECK(f.join() == 200);
    CHECK(n.get() == 200);
    auto late = n.subscribe();
    CHECK(!late.changed());
  });
}

TEST_CASE("watch: a stop ends a wait") {
  weft::run([] {
    weft::watch<int> n(0);
    auto f = weft::spawn([&](const std::stop_token& stop) { return n.subscribe().changed(stop); });
    f.request_stop();
    CHECK(!f.join());
    auto r = n.subscribe();
    CHECK(!r.changed_until(std::chrono::steady_clock::now()));
  });
}

TEST_CASE("watch: a value whose copy throws has not been seen") {
  struct picky {
    bool throws = false;
    picky() = default;
    picky(const picky& other) : throws(other.throws) {
      if (throws) throw std::runtime_error("no copy");
    }
    picky& operator=(const picky&) = default;
  };
  weft::watch<picky> state{picky()};
  auto r = state.subscribe();
  state.update([](picky& p) { p.throws = true; });
  CHECK_THROWS_AS(static_cast<void>(r.get()), std::runtime_error);
  CHECK(r.has_changed());
  state.update([](picky& p) { p.throws = false; });
  static_cast<void>(r.get());
  CHECK(!r.has_changed());
}
