// SPDX-License-Identifier: BSL-1.0
// Runtimes start and stop a thousand times: idle, in the middle of work, with fibers to stop,
// several at once.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/event.hpp>

#include "support/runtimes.hpp"
#include "support/seed.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

void one_life(choices& pick) {
  weft::options o;
  o.workers = 1 + pick.below(4);
  weft::runtime rt(o);
  switch (pick.below(5)) {
    case 0:
      break;  // at once
    case 1:
      CHECK(rt.spawn([] { return weft::spawn([] { return 1; }).join(); }).join() == 1);
      break;
    case 2:
      for (int i = 0; i < 20; ++i) rt.spawn(park_until_stopped).detach();
      break;
    case 3:
      for (int i = 0; i < 20; ++i)
        rt.spawn([] {
            weft::spawn(park_until_stopped).detach();
            weft::this_fiber::yield();
          }).detach();
      break;
    default:
      std::this_thread::sleep_for(std::chrono::microseconds(pick.below(300)));
  }
  CHECK(rt.shutdown() == 0);
  CHECK(rt.fibers() == 0);
}

}  // namespace

TEST_CASE("one after another, a thousand times") {
  const std::size_t stacks = weft::detail::stack_pool_statistics().out;
  choices pick(1);
  for (std::size_t i = 0; i < scaled(1000); ++i) one_life(pick);
  CHECK(weft::detail::stack_pool_statistics().out == stacks);
}

// [LIFE-7] Nobody can know when it has left weft. AddressSanitizer and ThreadSanitizer see it if it
// finds the runtime gone.
TEST_CASE("the thread that wakes the last fiber is still on its way out when the runtime ends") {
  weft::runtime other(workers(1));
  for (std::size_t i = 0; i < scaled(200); ++i) {
    weft::event done;
    std::thread plain;
    weft::fiber<void> foreign;
    {
      weft::runtime rt(workers(1 + i % 2));
      auto f = rt.spawn([&] { done.wait(); });
      const auto wakes = [&] { done.set(); };
      if (i % 4 < 3)
        plain = std::thread(wakes);
      else
        foreign = other.spawn(wakes);
      f.join();
    }
    if (plain.joinable()) plain.join();
    if (foreign.joinable()) foreign.join();
  }
}

TEST_CASE("several at once") {
  const std::size_t stacks = weft::detail::stack_pool_statistics().out;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      choices pick(10 + t);
      for (std::size_t i = 0; i < scaled(200); ++i) one_life(pick);
    });
  for (auto& t : threads) t.join();
  CHECK(weft::detail::stack_pool_statistics().out == stacks);
}
