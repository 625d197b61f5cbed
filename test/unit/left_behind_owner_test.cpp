// SPDX-License-Identifier: BSL-1.0
// unit/left_behind_owner_test.cpp - fibers that are left behind, in user code, by a runtime that
// ends: what they write to stays, also if its owner goes before they come back.
#include <atomic>
#include <chrono>
#include <optional>
#include <stop_token>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

weft::options impatient() {
  weft::options o;
  o.workers = 2;
  o.shutdown_timeout = 1ms;
  return o;
}

// What a fiber does that nobody can stop. Outlives the test: its thread is left behind, too.
struct gate {
  std::atomic<bool> entered{false}, open{false}, passed{false};
};
void pass(gate& g) {
  g.entered = true;
  while (!g.open) std::this_thread::sleep_for(1ms);
  g.passed = true;
}

}  // namespace

// The result is written after the future has gone: an address sanitizer sees it if that is freed.
TEST_CASE("async: the state stays for a fiber that was left behind") {
  static gate g;
  weft::runtime rt(impatient());
  std::optional<weft::future<int>> result;
  rt.spawn([&] {
      result = weft::async([] {
        pass(g);
        return 17;
      });
    }).join();
  until([] { return g.entered.load(); });
  CHECK(rt.shutdown() == 1);
  result.reset();
  g.open = true;
  until([] { return g.passed.load(); });
  std::this_thread::sleep_for(20ms);  // time for what must not happen
}

TEST_CASE("stop_callback: a function whose call was left behind is not called again") {
  static gate g;
  static std::atomic<int> calls{0};
  weft::runtime rt(impatient());
  std::stop_source source;
  std::optional<weft::stop_callback<void (*)()>> callback;
  rt.spawn([&] {
      callback.emplace(
          source.get_token(), +[] {
            ++calls;
            pass(g);
          });
    }).join();
  source.request_stop();
  until([] { return g.entered.load(); });
  CHECK(rt.shutdown() == 1);
  callback.reset();
  CHECK(calls == 1);
  g.open = true;
  until([] { return g.passed.load(); });
}
