// SPDX-License-Identifier: BSL-1.0
// A fiber whose channels, selects and sockets are always ready never has to wait. It gives way all
// the same, by itself: there is no signal here.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <thread>
#include <vector>

#include <unistd.h>

#include "sched/processor.hpp"
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

namespace {

bool soon(const std::atomic<int>& count, int wanted) {
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (count.load() < wanted && std::chrono::steady_clock::now() < until) {
  }
  return count.load() >= wanted;
}

weft::options two_workers_without_signals() {
  weft::options o = workers(2);
  o.preempt_signal = 0;
  return o;
}

}  // namespace

// ORDER-8: the poller of the other worker brings something each time it is asked.
TEST_CASE("what is ready behind a long step, beside sockets that are always busy") {
  weft::runtime rt(two_workers_without_signals());
  std::atomic<bool> over{false};
  std::atomic<int> messages{0}, ran{0};
  std::vector<weft::fiber<void>> players;
  const auto play = [&](weft::net::unix_stream& s) {
    std::array<std::byte, 8> message{};
    while (!over) {
      s.write_all(message);
      s.read_exactly(message);
      ++messages;
    }
    s.write_all(message);  // the other one may wait for it
  };
  for (int i = 0; i < 4; ++i)
    players.push_back(rt.spawn([&play] {
      auto both = weft::net::unix_stream::pair();
      auto other = weft::spawn([&] { play(both.second); });
      play(both.first);
      other.join();
    }));
  soon(messages, 1000);
  const bool served = rt.spawn([&] {
                          for (int i = 0; i < 20; ++i) weft::spawn([&] { ++ran; }).detach();
                          return soon(ran, 20);
                        }).join();
  CHECK(served);
  over = true;
  for (auto& p : players) p.join();
}

// A poll that brings few wakes nobody (processor::soon_served), but nobody waits for a long step.
TEST_CASE("what came with one poll is not kept by a long step") {
  weft::runtime rt(two_workers_without_signals());
  constexpr int count = 6;
  for (int round = 0; round < 5; ++round) {
    std::atomic<int> reading{0}, ran{0};
    std::vector<weft::net::unix_stream> ours;
    std::vector<weft::fiber<bool>> readers;
    for (int i = 0; i < count; ++i) {
      auto both = weft::net::unix_stream::pair();
      ours.push_back(std::move(both.first));
      readers.push_back(rt.spawn([&, theirs = std::move(both.second)]() mutable {
        std::array<std::byte, 1> one{};
        ++reading;
        theirs.read_exactly(one);
        // each but the last keeps its worker until another one has run
        const int wanted = std::min(++ran + 1, count);
        return soon(ran, wanted);
      }));
    }
    until([&] { return reading == count; });
    for (auto& s : ours) s.write_all(std::array<std::byte, 1>{});
    for (auto& r : readers) CHECK(r.join());
  }
}

// What a processor guesses from the time its steps took.
TEST_CASE("claims are short, and a poll's batch is announced, where steps are long") {
  weft::detail::processor p(0);
  std::int64_t now = 1'000'000;
  p.begin_measuring(now);
  const auto steps = [&](int count, std::int64_t each_ns) {
    for (int i = 0; i < count; ++i) p.bump_tick();
    now += count * each_ns;
    p.measure_steps(now);
  };
  CHECK(p.soon_served() == 1);  // nothing is known yet
  steps(100, 500);
  CHECK(p.soon_served() == 8);
  steps(10, 10'000);
  CHECK(p.soon_served() == 5);
  now += 1'000'000'000;  // idle
  p.begin_measuring(now);
  steps(0, 0);
  CHECK(p.soon_served() == 5);
  steps(1, 5'000'000);
  CHECK(p.soon_served() == 1);
  weft::detail::fiber_record records[8];
  for (auto& r : records) p.ready.push(&r);
  CHECK(p.ready.take() != nullptr);
  CHECK(p.ready.claimed() == 0);
  steps(100, 500);
  CHECK(p.ready.take() != nullptr);
  CHECK(p.ready.claimed() == 3);  // half of seven, rounded up, and one of them taken
  while (p.ready.take() != nullptr) {
  }
}
