// SPDX-License-Identifier: BSL-1.0
// A fiber whose channels, selects and sockets are always ready never has to wait. It gives way all
// the same, by itself: there is no signal here.
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <unistd.h>

#include "support/net.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

weft::options one_worker_without_signals() {
  weft::options o = workers(1);
  o.preempt_signal = 0;
  return o;
}

// `greedy(other_ran)` runs until the other fiber has run; then it must return.
template <class Greedy>
void gives_way(Greedy&& greedy) {
  weft::runtime rt(one_worker_without_signals());
  std::atomic<bool> begun{false}, other_ran{false};
  auto first = rt.spawn([&] {
    auto other = weft::spawn([&] { other_ran.store(true, std::memory_order_relaxed); });
    begun.store(true, std::memory_order_relaxed);
    greedy(other_ran);
    other.join();
  });
  first.join();
  CHECK(probe::preemptions(rt) == 0);
}

}  // namespace

TEST_CASE("a fiber that sends and receives without ever waiting") {
  gives_way([](const std::atomic<bool>& other_ran) {
    weft::channel<int> c(1);
    while (!other_ran.load(std::memory_order_relaxed)) {
      CHECK(c.send(1));
      CHECK(c.receive() == 1);
    }
  });
}

TEST_CASE("a fiber whose select always finds a case") {
  gives_way([](const std::atomic<bool>& other_ran) {
    weft::channel<int> c(1);
    while (!other_ran.load(std::memory_order_relaxed)) {
      weft::select(weft::on_send(c, 1, [](bool) {}), weft::on_default([] {}));
      weft::select(weft::on_receive(c, [](std::optional<int>) {}), weft::on_default([] {}));
    }
  });
}

TEST_CASE("a fiber that always finds something to read, and room to write") {
  weft::runtime rt(one_worker_without_signals());
  std::atomic<bool> other_ran{false};
  auto first = rt.spawn([&] {
    auto [mine, peer] = connected_pair();
    // One byte there and back: what is written can be read at once, on loopback.
    auto other = weft::spawn([&] { other_ran.store(true, std::memory_order_relaxed); });
    std::byte b{1};
    while (!other_ran.load(std::memory_order_relaxed)) {
      mine.write_all(std::span(&b, 1));
      CHECK(peer.read_some(std::span(&b, 1)) == 1);
    }
    other.join();
  });
  first.join();
  CHECK(probe::preemptions(rt) == 0);
}

// The interval between two looks at the inject queue is one step by then, and most looks find
// nothing.
TEST_CASE(
    "fibers that compute for long between two yields do not keep out who comes from outside") {
  weft::runtime rt(workers(1));
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::vector<weft::fiber<void>> busy;
  for (int i = 0; i < 4; ++i)
    busy.push_back(rt.spawn([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        const auto end = std::chrono::steady_clock::now() + 150us;
        while (std::chrono::steady_clock::now() < end) continue;
        rounds.fetch_add(1, std::memory_order_relaxed);
        weft::this_fiber::yield();
      }
    }));
  for (int spawned = 0; spawned < 20; ++spawned) {
    const int before = rounds.load(std::memory_order_relaxed);
    while (rounds.load(std::memory_order_relaxed) < before + 50) std::this_thread::sleep_for(1ms);
    auto spawned_now = rt.spawn([&] { return rounds.load(std::memory_order_relaxed); });
    const int at_spawn = rounds.load(std::memory_order_relaxed);
    CHECK(spawned_now.join() - at_spawn < 500);
  }
  stop.store(true, std::memory_order_relaxed);
  for (auto& b : busy) b.join();
}

// The other worker leaves a short queue that moves alone, but not for long.
TEST_CASE("fibers that take short turns are shared out") {
  weft::runtime rt(workers(2));
  auto first = rt.spawn([] {
    for (int round = 0; round < 20; ++round) {
      std::atomic<bool> occupied{false}, moved{false};
      std::atomic<int> turns{0};
      // keeps the other worker until they take turns, if they are not on it already
      auto occupant = weft::spawn([&] {
        occupied.store(true, std::memory_order_relaxed);
        while (turns.load(std::memory_order_relaxed) < 1000 &&
               !moved.load(std::memory_order_relaxed))
          continue;
      });
      while (!occupied.load(std::memory_order_relaxed)) continue;
      // asks anew after a yield; compilers think that pthread_self() stays what it was
      const pid_t here = ::gettid();
      std::vector<weft::fiber<void>> takes_turns;
      for (int i = 0; i < 4; ++i)
        takes_turns.push_back(weft::spawn([&] {
          while (!moved.load(std::memory_order_relaxed)) {
            turns.fetch_add(1, std::memory_order_relaxed);
            if (::gettid() != here) moved.store(true, std::memory_order_relaxed);
            weft::this_fiber::yield();
          }
        }));
      for (auto& f : takes_turns) f.join();
      occupant.join();
    }
  });
  first.join();
}
