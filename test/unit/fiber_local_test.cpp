// SPDX-License-Identifier: BSL-1.0
// fiber_local: one value per fiber, for inlined ones, too; its end.
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/fiber_local.hpp>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

std::atomic<int> alive{0};
std::vector<int>* ends = nullptr;  // of one fiber at a time

struct counted {
  int value = 0;
  counted() { ++alive; }
  ~counted() {
    --alive;
    if (ends != nullptr) ends->push_back(value);
  }
};

weft::fiber_local<counted> local;
weft::fiber_local<counted> second;
weft::fiber_local<int> number([] { return 17; });

}  // namespace

TEST_CASE("each fiber has its own, made on first use, gone at the end") {
  each_runtime([](weft::runtime& rt) {
    std::vector<weft::fiber<int>> all;
    for (int i = 0; i < 50; ++i)
      all.push_back(rt.spawn([i] {
        CHECK(local.get_if() == nullptr);
        local->value = i;
        static_cast<void>(weft::this_fiber::sleep_for(50us));
        weft::this_fiber::yield();
        return local.get().value;
      }));
    for (int i = 0; i < 50; ++i) CHECK(all[static_cast<std::size_t>(i)].join() == i);
    CHECK(alive == 0);
    CHECK(rt.spawn([] { return ++*number; }).join() == 18);
    CHECK(rt.spawn([] { return *number; }).join() == 17);
  });
}

TEST_CASE("a child run by its joiner keeps its own") {
  each_fiber([] {
    local->value = 1;
    const bool fresh = weft::spawn([] {
                         const bool none = local.get_if() == nullptr;
                         local->value = 2;
                         return none;
                       }).join();
    CHECK(fresh);
    CHECK(local->value == 1);
  });
  CHECK(alive == 0);
}

TEST_CASE("values are destroyed newest first, before a join returns") {
  each_fiber([] {
    std::vector<int> order;
    ends = &order;
    weft::spawn([] {
      local->value = 1;
      second->value = 2;
    }).join();
    ends = nullptr;
    CHECK(order == std::vector<int>{2, 1});
  });
}

TEST_CASE("a destructor may use fiber-locals, sleep and spawn") {
  struct late {
    ~late() {
      *number += 1;
      static_cast<void>(weft::this_fiber::sleep_for(50us));
      weft::spawn([] {}).join();
    }
  };
  static weft::fiber_local<late> uses_others;
  each_fiber([] { weft::spawn([] { static_cast<void>(uses_others.get()); }).join(); });
}

TEST_CASE("a maker that throws leaves no value") {
  static std::atomic<bool> broken{true};
  static weft::fiber_local<int> made([] {
    if (broken) throw std::runtime_error("not yet");
    return 3;
  });
  each_fiber([] {
    broken = true;
    CHECK_THROWS_AS(static_cast<void>(made.get()), std::runtime_error);
    CHECK(made.get_if() == nullptr);
    broken = false;
    CHECK(*made == 3);
  });
}

TEST_CASE("on a plain thread there is one per thread, destroyed with it") {
  CHECK(alive == 0);
  std::thread([] {
    local->value = 5;
    CHECK(alive == 1);
  }).join();
  CHECK(alive == 0);
}
