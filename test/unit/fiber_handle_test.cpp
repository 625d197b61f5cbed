// SPDX-License-Identifier: BSL-1.0
// fiber<T> as a value: moves, swaps, identity, detaching.
#include <atomic>
#include <functional>
#include <set>
#include <system_error>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"

using namespace weft::test;

static_assert(std::is_nothrow_move_constructible_v<weft::fiber<int>>);
static_assert(std::is_nothrow_move_assignable_v<weft::fiber<int>>);
static_assert(!std::is_copy_constructible_v<weft::fiber<int>>);
static_assert(std::is_same_v<weft::fiber<int>::result_type, int>);

TEST_CASE("an empty handle is no fiber") {
  weft::fiber<> none;
  CHECK_FALSE(none.joinable());
  CHECK(none.get_id() == weft::fiber_id());
  none.request_stop();
  CHECK_THROWS_AS(none.detach(), std::system_error);
}

TEST_CASE("moving hands the fiber over") {
  each_fiber([] {
    auto a = weft::spawn([] { return 1; });
    const auto id = a.get_id();
    auto b = std::move(a);
    CHECK_FALSE(a.joinable());  // NOLINT(bugprone-use-after-move)
    CHECK(b.get_id() == id);
    auto& same = b;
    b = std::move(same);
    CHECK(b.joinable());
    auto c = weft::spawn([] { return 2; });
    swap(b, c);
    CHECK(c.get_id() == id);
    CHECK(b.join() == 2);
    CHECK(c.join() == 1);
  });
}

TEST_CASE("assigning over a running fiber detaches it") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<bool> go{false}, ended{false};
    auto f = rt.spawn([&] {
      until([&] { return go.load(); });
      ended = true;
    });
    f = rt.spawn([] {});
    f.join();
    go = true;
    until([&] { return ended.load(); });
  });
}

TEST_CASE("detach, before and after the end") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<int> ran{0};
    auto early = rt.spawn([&] { ++ran; });
    early.detach();
    CHECK_FALSE(early.joinable());
    CHECK_THROWS_AS(early.detach(), std::system_error);
    auto late = rt.spawn([&] { ++ran; });
    until([&] { return ran == 2; });
    late.detach();
  });
}

TEST_CASE("ids are unique, ordered, hashable, and the fiber's own") {
  each_runtime([](weft::runtime& rt) {
    std::set<weft::fiber_id> ordered;
    std::unordered_set<weft::fiber_id> hashed;
    for (int i = 0; i < 500; ++i) {
      auto f = rt.spawn([] { return weft::this_fiber::get_id(); });
      const auto seen_outside = f.get_id();
      const auto seen_inside = f.join();
      CHECK(seen_outside == seen_inside);
      CHECK(ordered.insert(seen_inside).second);
      CHECK(hashed.insert(seen_inside).second);
    }
    CHECK(ordered.count(weft::fiber_id()) == 0);
  });
}

TEST_CASE("handles live in containers") {
  each_fiber([] {
    std::vector<weft::fiber<std::size_t>> all;
    for (std::size_t i = 0; i < 300; ++i) all.push_back(weft::spawn([i] { return i; }));
    all.erase(all.begin(), all.begin() + 100);
    std::size_t sum = 0;
    for (auto& f : all) sum += f.join();
    CHECK(sum == 299 * 300 / 2 - 99 * 100 / 2);
  });
}
