// SPDX-License-Identifier: BSL-1.0
// What belongs to the fiber stays with it while it moves between threads: errno, exceptions in
// flight and caught, fiber-locals, its id, its rounding mode. The test wants moves and counts them.
#include <atomic>
#include <cerrno>
#include <cfenv>
#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/fiber_local.hpp>

#include "support/runtimes.hpp"
#include "support/seed.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

weft::fiber_local<std::uint64_t> mark;

[[gnu::noinline]] int error_now() {
  asm volatile("" ::: "memory");
  return errno;
}
[[gnu::noinline]] void set_error(int value) {
  asm volatile("" ::: "memory");
  errno = value;
}
[[gnu::noinline]] std::thread::id thread_now() {
  asm volatile("" ::: "memory");
  return std::this_thread::get_id();
}

std::atomic<std::uint64_t> moves{0};

void wander(choices& pick) {
  const auto before = thread_now();
  switch (pick.below(3)) {
    case 0:
      static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(pick.below(60))));
      break;
    case 1:
      weft::spawn([] { weft::this_fiber::yield(); }).join();
      break;
    default:
      weft::this_fiber::yield();
  }
  moves += thread_now() != before;
}

// Wanders while it is destroyed by unwinding; tells whether everything was still its own.
struct unwinder {
  choices& pick;
  std::uint64_t& wrong;
  int number;
  ~unwinder() {
    const int uncaught = std::uncaught_exceptions();
    set_error(number);
    wander(pick);
    wrong += error_now() != number;
    wrong += std::uncaught_exceptions() != uncaught || uncaught != 1;
  }
};

std::uint64_t life(std::uint64_t stream) {
  choices pick(stream);
  std::uint64_t wrong = 0;
  *mark = stream;
  const auto id = weft::this_fiber::get_id();
  const int mode = stream % 2 == 0 ? FE_UPWARD : FE_TONEAREST;
  std::fesetround(mode);
  for (std::size_t i = 0; i < scaled(150); ++i) {
    const int number = static_cast<int>(pick.below(100'000));
    set_error(number);
    // errno after an inline join is what the child left: only the plain waits keep it.
    weft::this_fiber::yield();
    static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(pick.below(30))));
    wrong += error_now() != number;
    try {
      const unwinder u{pick, wrong, number};
      throw std::runtime_error(std::to_string(number));
    } catch (const std::runtime_error& e) {
      wander(pick);
      wrong += e.what() != std::to_string(number);
      try {
        wander(pick);
        throw;
      } catch (const std::exception& again) {
        wander(pick);
        wrong += &again != &e;
      }
    }
    wrong += std::current_exception() != nullptr || std::uncaught_exceptions() != 0;
    wrong += *mark != stream || weft::this_fiber::get_id() != id;
    wrong += std::fegetround() != mode;
  }
  return wrong;
}

}  // namespace

TEST_CASE("migrate") {
  each_runtime([](weft::runtime& rt) {
    moves = 0;
    std::vector<weft::fiber<std::uint64_t>> all;
    for (std::uint64_t i = 0; i < 60; ++i) all.push_back(rt.spawn(life, i));
    for (auto& f : all) CHECK(f.join() == 0);
    MESSAGE("moves between threads: " << moves.load());
    if (rt.workers() > 1) CHECK(moves > 0);
  });
}
