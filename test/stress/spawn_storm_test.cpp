// SPDX-License-Identifier: BSL-1.0
// spawn storm: many plain threads spawn into several runtimes; fibers spawn across them; handles
// are joined, timed, dropped and moved between threads.
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"
#include "support/seed.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

struct world {
  std::vector<std::unique_ptr<weft::runtime>> runtimes;
  std::atomic<std::uint64_t> begun{0}, spawned{0};

  weft::runtime& any(choices& pick) { return *runtimes[pick.below(runtimes.size())]; }

  // Spawns one fiber that may spawn more.
  void one(choices& pick, int depth) {
    ++spawned;
    const std::uint64_t stream = pick.below(~std::uint64_t{0});
    auto f = any(pick).spawn([this, stream, depth] {
      ++begun;
      choices own(stream);
      switch (own.below(5)) {
        case 0:
          weft::this_fiber::yield();
          break;
        case 1:
          static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(own.below(50))));
          break;
        case 2:
          if (depth > 0) one(own, depth - 1);
          break;
        case 3:
          if (depth > 0) {
            ++spawned;
            weft::spawn([this] { ++begun; }).join();
          }
          break;
        default:
          break;
      }
    });
    switch (pick.below(4)) {
      case 0:
        f.detach();
        break;
      case 1:
        f.join();
        break;
      case 2:
        if (f.join_for(std::chrono::microseconds(pick.below(30)))) f.join();
        break;
      default:
        f.request_stop();
    }
  }
};

}  // namespace

TEST_CASE("spawn storm") {
  for (const std::size_t runtimes : {1u, 2u, 4u}) {
    CAPTURE(runtimes);
    const std::size_t stacks = weft::detail::stack_pool_statistics().out;
    {
      world w;
      for (std::size_t i = 0; i < runtimes; ++i) {
        weft::options o;
        o.workers = i + 1;
        w.runtimes.push_back(std::make_unique<weft::runtime>(o));
      }
      std::vector<std::thread> threads;
      for (std::uint64_t t = 0; t < 12; ++t)
        threads.emplace_back([&, t] {
          choices pick(1000 * runtimes + t);
          for (std::size_t i = 0; i < scaled(2000); ++i) w.one(pick, 3);
        });
      for (auto& t : threads) t.join();
      until([&] { return w.begun == w.spawned; });
      for (auto& rt : w.runtimes) CHECK(rt->shutdown() == 0);
    }
    CHECK(weft::detail::stack_pool_statistics().out == stacks);
  }
}
