// SPDX-License-Identifier: BSL-1.0
// Scopes with limits, failures, stops and nesting, all at once; nobody outlives its scope.
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/scope.hpp>

#include "support/runtimes.hpp"
#include "support/seed.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

void storm(std::uint64_t stream, int depth) {
  choices pick(stream);
  // children use it: ASan sees who outlives the scope
  auto guard = std::make_unique<std::atomic<int>>(0);
  const bool fails = pick.below(4) == 0;
  const auto n = pick.below(12);
  const auto bad = pick.below(12);
  bool failed = false;
  std::uint64_t expected = 0;
  try {
    weft::scope s{weft::scope_limit{pick.below(3) == 0 ? 1 + pick.below(3) : 1000}};
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::uint64_t child = pick.below(~std::uint64_t{0});
      ++expected;
      s.spawn([&, child, i] {
        choices own(child);
        switch (own.below(4)) {
          case 0:
            weft::this_fiber::yield();
            break;
          case 1:
            static_cast<void>(
                weft::this_fiber::sleep_for(std::chrono::microseconds(own.below(80))));
            break;
          case 2:
            if (depth > 0) storm(child, depth - 1);
            break;
          default:
            break;
        }
        ++*guard;
        if (fails && i == bad) throw std::runtime_error("bad");
      });
      if (pick.below(40) == 0) s.request_stop();
    }
    if (pick.below(2) == 0) s.join();
    if (pick.below(6) == 0) throw std::logic_error("block");
  } catch (const std::runtime_error&) {
    failed = true;
  } catch (const std::logic_error&) {
  }
  CHECK(static_cast<std::uint64_t>(*guard) == expected);
  if (failed) CHECK(fails);
}

}  // namespace

TEST_CASE("scope storm") {
  each_runtime([](weft::runtime& rt) {
    std::vector<weft::fiber<>> all;
    for (std::uint64_t i = 0; i < 8; ++i)
      all.push_back(rt.spawn([i] {
        for (std::uint64_t k = 0; k < scaled(300); ++k) storm(i * 100'000 + k, 3);
      }));
    for (auto& f : all) f.join();
  });
}

TEST_CASE("scope storm from plain threads") {
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 4; ++i)
    threads.emplace_back([i] {
      for (std::uint64_t k = 0; k < scaled(300); ++k) storm(7'000'000 + i * 100'000 + k, 2);
    });
  for (auto& t : threads) t.join();
}
