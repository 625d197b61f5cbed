// SPDX-License-Identifier: BSL-1.0
// Stop requests: seen, delivered to waits, before and after; tokens and callbacks.
#include <atomic>
#include <chrono>
#include <stop_token>
#include <vector>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("a sleeping fiber is woken by a stop request, one about to sleep does not") {
  each_runtime([](weft::runtime& rt) {
    for (int i = 0; i < static_cast<int>(scaled(500)); ++i) {
      auto f = rt.spawn([] { return weft::this_fiber::sleep_for(1h); });
      if (i % 3 == 0)
        static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(i % 50)));
      f.request_stop();
      f.request_stop();
      REQUIRE(f.join() == weft::wait_result::stopped);
    }
  });
}

TEST_CASE("stop_requested and tokens agree, whichever came first") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<int> step{0};
    auto f = rt.spawn([&] {
      CHECK_FALSE(weft::this_fiber::stop_requested());
      const auto early = weft::this_fiber::stop_token();
      CHECK(early.stop_possible());
      CHECK_FALSE(early.stop_requested());
      step = 1;
      until([&] { return step == 2; });
      CHECK(weft::this_fiber::stop_requested());
      CHECK(early.stop_requested());
      CHECK(weft::this_fiber::stop_token() == early);
    });
    until([&] { return step == 1; });
    f.request_stop();
    step = 2;
    f.join();

    auto asked_first = rt.spawn([&] {
      until([&] { return weft::this_fiber::stop_requested(); });
      return weft::this_fiber::stop_token().stop_requested();
    });
    asked_first.request_stop();
    CHECK(asked_first.join());
  });
}

TEST_CASE("a stop request runs stop callbacks, once") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<int> called{0};
    std::atomic<bool> ready{false};
    auto f = rt.spawn([&] {
      const std::stop_callback cb(weft::this_fiber::stop_token(), [&] { ++called; });
      ready = true;
      park_until_stopped();
    });
    until([&] { return ready.load(); });
    f.request_stop();
    f.request_stop();
    f.join();
    CHECK(called == 1);
  });
}

TEST_CASE("a token outlives its fiber") {
  each_runtime([](weft::runtime& rt) {
    const std::stop_token token = rt.spawn([] { return weft::this_fiber::stop_token(); }).join();
    CHECK_FALSE(token.stop_requested());
  });
}

TEST_CASE("a stop request is not handed to the next fiber of the record") {
  each_runtime([](weft::runtime& rt) {
    for (int i = 0; i < 300; ++i) {
      auto f = rt.spawn([] {});
      f.request_stop();
      f.join();
      REQUIRE_FALSE(rt.spawn([] { return weft::this_fiber::stop_requested(); }).join());
    }
  });
}

TEST_CASE("a child run by its joiner has a stop of its own") {
  each_runtime([](weft::runtime& rt) {
    std::atomic<bool> ready{false};
    auto parent = rt.spawn([&] {
      ready = true;
      until([&] { return weft::this_fiber::stop_requested(); });
      return weft::spawn([] { return weft::this_fiber::stop_requested(); }).join();
    });
    until([&] { return ready.load(); });
    parent.request_stop();
    CHECK_FALSE(parent.join());
  });
}
