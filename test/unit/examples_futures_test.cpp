// SPDX-License-Identifier: BSL-1.0
// unit/examples_futures_test.cpp - the examples in the documentation of futures, word for word,
// with the little they need around them. test/house/examples.py compares the two.
#include <doctest/doctest.h>

#include <string>
#include <utility>

#include <weft/weft.hpp>

TEST_CASE("example: future") {
  weft::run([] {
    weft::promise<int> p;
    weft::future<int> f = p.get_future();
    weft::spawn([p = std::move(p)]() mutable { p.set_value(42); }).detach();
    const int answer = f.get();  // parks this fiber
    CHECK(answer == 42);
  });
}

TEST_CASE("example: shared_future") {
  weft::run([] {
    weft::promise<int> p;
    const weft::shared_future<int> go = p.get_future().share();
    auto a = weft::spawn([go] { return go.get() + 1; });
    auto b = weft::spawn([go] { return go.get() + 2; });
    p.set_value(10);
    CHECK(a.join() + b.join() == 23);
  });
}

TEST_CASE("example: async") {
  weft::run([] {
    auto words = weft::async([] { return std::string("from a fiber"); });
    const std::string text = words.get();
    CHECK(text == "from a fiber");
  });
}

TEST_CASE("example: packaged_task") {
  weft::run([] {
    weft::packaged_task<int(int)> square([](int n) { return n * n; });
    weft::future<int> f = square.get_future();
    weft::spawn(std::move(square), 7).detach();
    const int result = f.get();
    CHECK(result == 49);
  });
}

TEST_CASE("example: spawn_future") {
  weft::run([] {
    weft::scope lookups;
    auto a = weft::spawn_future(lookups, [] { return 20; });
    auto b = weft::spawn_future(lookups, [](int n) { return n; }, 22);
    const int sum = a.get() + b.get();
    CHECK(sum == 42);
  });
}

TEST_CASE("example: watch") {
  weft::run([] {
    weft::watch<int> level(1);
    auto follower = weft::spawn([r = level.subscribe()]() mutable {
      int sum = 0;
      while (r.changed()) sum = r.get();  // until it is closed
      return sum;
    });
    level.send(5);
    level.close();
    CHECK(follower.join() == 5);
  });
}
