// SPDX-License-Identifier: BSL-1.0
// Lives of a runtime in which everything happens at once: processors taken away and fibers
// preempted at random instants, stops, deadlines, closes, exceptions, memory that runs out, and a
// shutdown in the middle. The books must balance. WEFT_SOAK_SECONDS makes it a soak.
#include "support/failing_memory.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <system_error>
#include <thread>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/seed.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

using counter = std::atomic<std::uint64_t>;

struct failure {};  // what children throw

/// What the fibers of one life share, and the books they keep. Written after the deed.
struct world {
  explicit world(std::size_t capacity, bool will_close) : numbers(capacity), closes(will_close) {}
  weft::channel<std::uint64_t> numbers;
  const bool closes;  // before the shutdown: only then does a wait without a limit end
  counter sent{0}, received{0};
  weft::mutex lock;
  weft::shared_mutex shared;
  std::uint64_t under_lock = 0, under_shared = 0;
  counter locked{0}, locked_shared{0};
  weft::counting_semaphore<> permits{2};
  std::atomic<int> holders{0};
  counter started{0}, ended{0}, wrong{0}, deeds{0};
};

void expect(world& w, bool right) {
  if (!right) w.wrong.fetch_add(1);
}

void add(counter& to, std::uint64_t n) { to.fetch_add(n, std::memory_order_relaxed); }

void send(world& w, choices& pick, const std::stop_token& stop) {
  const std::uint64_t n = 1 + pick.below(1000);
  bool sent = false;
  switch (pick.below(w.closes ? 5 : 4)) {
    case 0:
      sent = w.numbers.try_send(n);
      break;
    case 1:
      sent = static_cast<bool>(w.numbers.send(n, stop));
      break;
    case 2:
      sent = static_cast<bool>(w.numbers.send_for(n, std::chrono::microseconds(pick.below(500))));
      break;
    case 3:
      weft::select(weft::on_send(w.numbers, n, [&](bool done) { sent = done; }),
                   weft::on_stop(stop, [] {}), weft::on_timeout(300us, [] {}));
      break;
    default:
      sent = w.numbers.send(n);
  }
  if (sent) add(w.sent, n);
}

void receive(world& w, choices& pick, const std::stop_token& stop) {
  std::uint64_t got = 0;
  switch (pick.below(w.closes ? 5 : 4)) {
    case 0:
      got = w.numbers.try_receive().value_or(0);
      break;
    case 1:
      if (auto r = w.numbers.receive(stop)) got = *r;
      break;
    case 2:
      if (auto r = w.numbers.receive_for(std::chrono::microseconds(pick.below(500)))) got = *r;
      break;
    case 3:
      weft::select(
          weft::on_receive(w.numbers, [&](std::optional<std::uint64_t> n) { got = n.value_or(0); }),
          weft::on_stop(stop, [] {}), weft::on_timeout(300us, [] {}));
      break;
    default:
      got = w.numbers.receive().value_or(0);
  }
  add(w.received, got);
}

void lock(world& w, choices& pick, const std::stop_token& stop) {
  std::unique_lock hold(w.lock, std::defer_lock);
  if (pick.below(2) == 0)
    hold.lock();
  else if (pick.below(2) == 0 ? !hold.try_lock_for(200us) : !w.lock.lock(stop))
    return;
  else if (!hold.owns_lock())
    hold = std::unique_lock(w.lock, std::adopt_lock);
  ++w.under_lock;
  if (pick.below(4) == 0) weft::this_fiber::yield();
  add(w.locked, 1);
}

void lock_shared(world& w, choices& pick) {
  if (pick.below(3) != 0) {
    const std::shared_lock hold(w.shared);
    const std::uint64_t before = w.under_shared;
    weft::this_fiber::yield();
    expect(w, w.under_shared == before);
    return;
  }
  const std::unique_lock hold(w.shared);
  ++w.under_shared;
  add(w.locked_shared, 1);
}

void hold_permit(world& w, choices& pick, const std::stop_token& stop) {
  if (pick.below(2) == 0 ? !w.permits.try_acquire_for(200us) : !w.permits.acquire(stop)) return;
  expect(w, w.holders.fetch_add(1) < 2);
  if (pick.below(2) == 0) weft::this_fiber::yield();
  w.holders.fetch_sub(1);
  w.permits.release();
}

void deed(world& w, choices& pick, int depth);

/// Children that send, throw, run late and are stopped; all have ended when the scope is left.
void children(world& w, choices& pick, int depth) {
  counter alive{0};
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::microseconds(pick.below(2000));
  try {
    weft::scope all(weft::scope_limit{1 + pick.below(4)}, weft::scope_deadline{deadline});
    for (std::uint64_t i = pick.below(6); i > 0; --i) {
      all.spawn([&w, &alive, depth, stream = pick.below(~0ULL)] {
        struct count {
          explicit count(counter& c) : c_(c) { c_.fetch_add(1); }
          ~count() { c_.fetch_sub(1); }
          counter& c_;
        } const here(alive);
        choices own(stream);
        deed(w, own, depth + 1);
        if (own.below(8) == 0) throw failure{};
      });
      if (pick.below(12) == 0) all.request_stop();
    }
    if (pick.below(8) == 0) throw failure{};
  } catch (const failure&) {
  }
  expect(w, alive == 0);
}

void deed(world& w, choices& pick, int depth) {
  const auto stop = weft::this_fiber::stop_token();
  switch (pick.below(11)) {
    case 0:
    case 1:
      return send(w, pick, stop);
    case 2:
    case 3:
      return receive(w, pick, stop);
    case 4:
      return lock(w, pick, stop);
    case 5:
      return lock_shared(w, pick);
    case 6:
      return hold_permit(w, pick, stop);
    case 7:
      static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(pick.below(300))));
      return;
    case 8: {
      const std::uint64_t n = pick.below(1000);
      return expect(w, weft::spawn([n] { return n + 1; }).join() == n + 1);
    }
    case 9: {
      const std::uint64_t n = pick.below(1000);
      return expect(w, weft::offload([n] { return n + 1; }) == n + 1);
    }
    default:
      if (depth < 2) children(w, pick, depth);
  }
}

/// Does one thing after the other, until it is asked to stop.
void live(world& w, std::uint64_t stream) {
  choices pick(stream);
  while (!weft::this_fiber::stop_requested()) {
    try {
      deed(w, pick, 0);
    } catch (const std::bad_alloc&) {  // it was not done
    } catch (const std::system_error&) {
    }
    add(w.deeds, 1);
  }
  add(w.ended, 1);
}

std::uint64_t one_life(std::size_t n, std::uint64_t stream) {
  choices pick(stream);
  world w(pick.below(4), pick.below(2) == 0);
  const bool starves = pick.below(2) == 0;
  std::size_t left_behind = 0;
  {
    weft::options o;
    o.workers = n;
    o.on_deadlock = weft::deadlock_policy::ignore;
    o.shutdown_timeout = 100s;  // what needs that long hangs
    // there was no stack to start it on
    o.on_unhandled_exception = [&](const weft::unhandled_exception&) { add(w.ended, 1); };
    weft::runtime rt(o);
    probe::storm(rt, (WEFT_TSAN != 0 ? 0 : probe::preempts) | probe::retake_all);
    if (starves) memory::fail_one_in(50 + pick.below(500));
    for (int i = 0; i < 12; ++i) {
      try {
        rt.spawn([&w, s = pick.below(~0ULL)] { live(w, s); }).detach();
        add(w.started, 1);
      } catch (const std::bad_alloc&) {
      } catch (const std::system_error&) {
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1 + pick.below(30)));
    if (w.closes) w.numbers.close();
    left_behind = rt.shutdown();
    memory::fail_one_in(0);
  }
  w.numbers.close();
  while (const auto n_left = w.numbers.try_receive()) add(w.received, *n_left);
  CAPTURE(stream);
  CAPTURE(n);
  CHECK(left_behind == 0);
  CHECK(w.wrong == 0);
  CHECK(w.ended == w.started);
  CHECK(w.received == w.sent);
  CHECK(w.under_lock == w.locked);
  CHECK(w.under_shared == w.locked_shared);
  CHECK(w.holders == 0);
  CHECK(w.permits.try_acquire());
  CHECK(w.permits.try_acquire());
  CHECK(!w.permits.try_acquire());
  return w.deeds;
}

}  // namespace

TEST_CASE("everything at once, and a shutdown in the middle: the books balance") {
  for (const std::size_t n : {1, 2, 8}) {
    std::uint64_t lives = 0, deeds = 0;
    const auto end = std::chrono::steady_clock::now() + soak_time() / 2;
    do deeds += one_life(n, n * 1'000'000'000 + lives++);
    while (std::chrono::steady_clock::now() < end);
    std::printf("%zu workers: %llu lives, %llu deeds\n", n, static_cast<unsigned long long>(lives),
                static_cast<unsigned long long>(deeds));
  }
}
