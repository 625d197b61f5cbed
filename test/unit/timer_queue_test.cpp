// SPDX-License-Identifier: BSL-1.0
// The queue of deadlines by itself: order, staleness, sweeping.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "fiber/record.hpp"
#include "sched/timer_queue.hpp"
#include "support/seed.hpp"

using namespace weft::detail;

namespace {

// Records that wait, as a parked fiber would.
struct waiters {
  std::vector<fiber_record*> all;
  explicit waiters(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) all.push_back(&take_record());
  }
  ~waiters() {
    for (fiber_record* r : all) {
      r->word.set(fiber_state::unused);
      give_record(*r);
    }
  }
  ticket park(std::size_t i) {
    const epoch_t e = all[i]->word.begin_park(stoppable::no);
    static_cast<void>(all[i]->word.commit([] { return false; }));
    return all[i]->make_ticket(e);
  }
};

}  // namespace

TEST_CASE("empty") {
  timer_queue h;
  CHECK(h.earliest() == timer_queue::never);
  CHECK(h.fire(1'000'000, 10, [](fiber_record&) { FAIL("nobody waits"); }) == 0);
}

TEST_CASE("fires in order, only what is due, at most the limit") {
  weft::test::choices pick(0);
  waiters w(1000);
  timer_queue h;
  std::vector<std::int64_t> when(1000);
  for (std::size_t i = 0; i < 1000; ++i) {
    when[i] = static_cast<std::int64_t>(pick.below(500)) + 1;
    REQUIRE(h.add(when[i], w.park(i)));
    CHECK(h.earliest() == *std::min_element(when.begin(), when.begin() + static_cast<long>(i) + 1));
  }
  CHECK(h.size() == 1000);
  std::size_t fired = 0;
  for (std::int64_t now = 0; now <= 500; now += 25) {
    for (;;) {
      const std::size_t n = h.fire(now, 7, [&](fiber_record& r) {
        const auto i =
            static_cast<std::size_t>(std::find(w.all.begin(), w.all.end(), &r) - w.all.begin());
        CHECK(when[i] <= now);
        CHECK(when[i] > now - 25);
        CHECK(r.word.code() == wake_code::timeout);
      });
      CHECK(n <= 7);
      fired += n;
      if (n == 0) break;
    }
    CHECK(h.earliest() > now);
  }
  CHECK(fired == 1000);
  CHECK(h.size() == 0);
}

TEST_CASE("a wait that ended otherwise wakes nobody") {
  waiters w(2);
  timer_queue h;
  const ticket gone = w.park(0), there = w.park(1);
  REQUIRE(h.add(10, gone));
  REQUIRE(h.add(20, there));
  CHECK(w.all[0]->word.wake(gone.epoch(), wake_code::ready) == wake_duty::enqueue);
  int woken = 0;
  CHECK(h.fire(30, 10, [&](fiber_record& r) { woken += &r == w.all[1]; }) == 2);
  CHECK(woken == 1);
}

TEST_CASE("stale entries do not pile up, and live ones survive the sweeps") {
  waiters w(101);
  timer_queue h;
  REQUIRE(h.add(1'000'000, w.park(100)));
  for (int i = 0; i < 100'000; ++i) {
    const auto who = static_cast<std::size_t>(i % 100);
    const ticket t = w.park(who);
    REQUIRE(h.add(2'000'000 + i, t));
    static_cast<void>(w.all[who]->word.wake(t.epoch(), wake_code::ready));
  }
  CHECK(h.size() < 2000);
  CHECK(h.earliest() == 1'000'000);
  int woken = 0;
  while (h.fire(3'000'000, 256, [&](fiber_record& r) { woken += &r == w.all[100]; }) > 0) {
  }
  CHECK(woken == 1);
}

TEST_CASE(
    "moved to another queue: every deadline is there, in order, whichever was the bigger one") {
  for (const std::size_t mine : {3u, 60u}) {
    waiters w(63);
    timer_queue from, to;
    for (std::size_t i = 0; i < 63; ++i)
      REQUIRE((i < mine ? from : to).add(100 + static_cast<std::int64_t>(i * 37 % 63), w.park(i)));
    from.move_to(to);
    CHECK(from.size() == 0);
    CHECK(from.earliest() == timer_queue::never);
    CHECK(to.size() == 63);
    for (std::int64_t when = 100; when < 163; ++when) {
      CHECK(to.earliest() == when);
      CHECK(to.fire(when, 10, [](fiber_record&) {}) == 1);
    }
    from.move_to(to);
    CHECK(to.earliest() == timer_queue::never);
  }
}

// What is due, by a list that is searched from end to end.
TEST_CASE("whatever comes when: all that is due, in order, and nothing else") {
  constexpr std::int64_t ms = 1'000'000;
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u}) {
    weft::test::choices pick(seed);
    waiters w(3000);
    timer_queue q;
    struct due {
      std::int64_t when;
      fiber_record* who;
      bool stale;
    };
    std::vector<due> there;
    std::size_t next = 0;
    std::int64_t now = static_cast<std::int64_t>(pick.below(1'000'000)) * ms;
    // Soon, about the next milliseconds, within the ring, beyond it, long ago.
    const auto some_time = [&] {
      const std::int64_t ranges[] = {ms / 10, 3 * ms, 60 * ms, 250 * ms, 300 * ms, 5000 * ms};
      const std::int64_t in =
          static_cast<std::int64_t>(pick.below(static_cast<std::uint64_t>(ranges[pick.below(6)])));
      return pick.below(20) == 0 ? now - in : now + in;
    };
    while (next < w.all.size() || !there.empty()) {
      for (auto n = pick.below(40); n > 0 && next < w.all.size(); --n) {
        const ticket t = w.park(next);
        const due d{some_time(), w.all[next++], pick.below(3) == 0};
        REQUIRE(q.add(d.when, t));
        if (d.stale) static_cast<void>(d.who->word.wake(t.epoch(), wake_code::ready));
        there.push_back(d);
      }
      now += static_cast<std::int64_t>(
          pick.below(static_cast<std::uint64_t>((pick.below(10) == 0 ? 400 : 4) * ms)));
      if (pick.below(50) == 0) {
        timer_queue other;
        q.move_to(other);
        REQUIRE(q.earliest() == timer_queue::never);
        other.move_to(q);
      }
      std::int64_t before = std::numeric_limits<std::int64_t>::min();
      const std::size_t limit = 1 + pick.below(200);
      std::vector<fiber_record*> woken;
      while (q.fire(now, limit, [&](fiber_record& r) { woken.push_back(&r); }) == limit) {
      }
      for (fiber_record* r : woken) {
        const auto it =
            std::find_if(there.begin(), there.end(), [&](const due& d) { return d.who == r; });
        REQUIRE(it != there.end());
        REQUIRE(!it->stale);
        REQUIRE(it->when <= now);
        REQUIRE(it->when >= before);
        before = it->when;
        there.erase(it);
      }
      std::erase_if(there, [&](const due& d) { return d.stale && d.when <= now; });
      std::int64_t first = timer_queue::never;
      for (const due& d : there)
        if (!d.stale) first = std::min(first, d.when);
      REQUIRE(first > now);
      REQUIRE(q.earliest() <= first);  // a stale one may be earlier
      REQUIRE(q.earliest() > now);
      REQUIRE(q.size() <= std::max<std::size_t>(there.size() * 2 + 1, 512));
    }
    CHECK(q.earliest() == timer_queue::never);
  }
}
