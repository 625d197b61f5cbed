// SPDX-License-Identifier: BSL-1.0
// test/model/fiber_word_model.cpp - fiber/fiber_word.hpp: a parking fiber against those who hold
// its ticket. The fiber is a continuation: whoever is told to enqueue it runs its next stretch, so
// a fiber enqueued twice, or resumed before its stack was left, is two unordered writes to `stack`
// and reported as a race.
#include "fiber/fiber_word.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using namespace weft::detail;
using model::execution;

namespace {

using model::holds;

using word = basic_fiber_word<model::sync>;

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto seq_cst = std::memory_order_seq_cst;

constexpr wake_code second_code{9};

struct fiber {
  word state;
  model::plain<int> stack{0};  // written while the fiber runs
  model::atomic<epoch_t> ticket{
      0};  // where wakers look; published with release, as a wait list would
  model::atomic<bool> stop{false};
  model::plain<int> gift{0}, second_gift{0};  // what a waker wrote before its wake
  model::plain<int> resumed{0};
  bool stale = false;
  int wins[4] = {};  // one per thread that wakes

  bool stop_requested() { return stop.load(seq_cst); }
};
using shared = std::shared_ptr<fiber>;

void resume(const shared& f) {
  f->stack = 2;
  f->resumed = f->resumed + 1;
  if (f->state.code() == wake_code::ready)
    model::check(f->gift == 1, "PARK-1: woken, so what came with it is there");
  if (f->state.code() == second_code)
    model::check(f->second_gift == 1, "PARK-1: the winner's gift is there");
  f->state.set(fiber_state::running);
}

void park(const shared& f, stoppable s) {
  f->state.set(fiber_state::running);
  const epoch_t e = f->state.begin_park(s);
  f->ticket.store(e, release);
  f->stack = 1;  // still on it
  if (f->state.commit([&] { return f->stop_requested(); }) == commit_duty::enqueue) resume(f);
}

void wake(const shared& f, epoch_t e, wake_code code, int who) {
  const wake_duty duty = f->state.wake(e, code);
  if (duty != wake_duty::stale) ++f->wins[who];
  if (duty == wake_duty::enqueue) resume(f);
}

// Waits for a ticket, as a waker finds it on a wait list.
epoch_t find_ticket(const shared& f) {
  for (;;) {
    if (const epoch_t e = f->ticket.load(acquire); e != 0) return e;
    model::sync::pause();
  }
}

void one_waker(execution& x) {
  auto f = std::make_shared<fiber>();
  x.thread("parker", [=] { park(f, stoppable::no); });
  x.thread("waker", [=] {
    const epoch_t e = find_ticket(f);
    f->gift = 1;
    wake(f, e, wake_code::ready, 0);
  });
  x.finally([=] {
    model::check(f->resumed == 1, "PARK-1: delivered once");
    model::check(f->wins[0] == 1, "PARK-1: a current ticket wins");
  });
}

void two_wakers(execution& x) {
  auto f = std::make_shared<fiber>();
  x.thread("parker", [=] { park(f, stoppable::no); });
  x.thread("waker", [=] {
    const epoch_t e = find_ticket(f);
    f->gift = 1;
    wake(f, e, wake_code::ready, 0);
  });
  x.thread("other", [=] {
    const epoch_t e = find_ticket(f);
    f->second_gift = 1;
    wake(f, e, second_code, 1);
  });
  x.finally([=] {
    model::check(f->resumed == 1, "PARK-1: delivered once");
    model::check(f->wins[0] + f->wins[1] == 1, "PARK-1: one waker wins");
  });
}

void stop_ends_park(execution& x) {
  auto f = std::make_shared<fiber>();
  x.thread("parker", [=] { park(f, stoppable::yes); });
  x.thread("stopper", [=] {
    f->stop.store(true, seq_cst);
    if (f->state.wake_for_stop() == wake_duty::enqueue) resume(f);
  });
  x.finally([=] {
    model::check(f->resumed == 1, "PARK-2: a stop ends the park, once");
    model::check(f->state.code() == wake_code::stop, "PARK-2: and says so");
  });
}

void stop_and_waker(execution& x) {
  auto f = std::make_shared<fiber>();
  x.thread("parker", [=] { park(f, stoppable::yes); });
  x.thread("stopper", [=] {
    f->stop.store(true, seq_cst);
    if (f->state.wake_for_stop() == wake_duty::enqueue) resume(f);
  });
  x.thread("waker", [=] {
    const epoch_t e = find_ticket(f);
    f->gift = 1;
    wake(f, e, wake_code::ready, 0);
  });
  x.finally([=] { model::check(f->resumed == 1, "one wake of two"); });
}

void stop_leaves_unstoppable(execution& x) {
  auto f = std::make_shared<fiber>();
  x.thread("parker", [=] { park(f, stoppable::no); });
  x.thread("stopper", [=] {
    f->stop.store(true, seq_cst);
    model::check(f->state.wake_for_stop() == wake_duty::stale,
                 "an unstoppable park is not stopped");
  });
  x.finally([=] {
    model::check(f->resumed == 0 && f->state.state() == fiber_state::parked, "still parked");
  });
}

// The second stretch parks again; the timer still holds the first ticket.
void stale_ticket(execution& x) {
  auto f = std::make_shared<fiber>();
  const auto continue_fiber = [=] {
    resume(f);
    const epoch_t e = f->state.begin_park(stoppable::no);
    f->ticket.store(e, release);
    f->stack = 1;
    if (f->state.commit([] { return false; }) == commit_duty::enqueue) f->stale = true;
  };
  x.thread("worker", [=] {
    f->state.set(fiber_state::running);
    const epoch_t e = f->state.begin_park(stoppable::no);
    f->ticket.store(e, release);
    f->stack = 1;
    if (f->state.commit([] { return false; }) == commit_duty::enqueue) continue_fiber();
  });
  const auto wake_first = [=](wake_code code, int who) {
    const epoch_t e = find_ticket(f);
    if (e != 1) return;  // came after the first park: holds no ticket for it
    if (code == wake_code::ready) f->gift = 1;
    const wake_duty duty = f->state.wake(e, code);
    if (duty != wake_duty::stale) ++f->wins[who];
    if (duty == wake_duty::enqueue) continue_fiber();
  };
  x.thread("waker", [=] { wake_first(wake_code::ready, 0); });
  x.thread("timer", [=] { wake_first(wake_code::timeout, 1); });
  x.finally([=] {
    model::check(f->wins[0] + f->wins[1] == 1, "PARK-3: the first ticket wins once");
    model::check(f->resumed == 1 && !f->stale, "PARK-3: the second park is not ended by it");
    model::check(f->state.state() == fiber_state::parked && f->state.epoch() == 2,
                 "PARK-3: nothing changed");
  });
}

// The parker thinks better of it: either the wake is refused, or the parker learns of it.
void cancelled(execution& x) {
  auto f = std::make_shared<fiber>();
  x.thread("parker", [=] {
    f->state.set(fiber_state::running);
    const epoch_t e = f->state.begin_park(stoppable::no);
    f->ticket.store(e, release);
    if (f->state.woken_early())
      model::check(f->gift == 1, "woken early, so what came with it is there");
    if (f->state.cancel_park()) return;
    ++f->wins[1];
    model::check(f->state.code() == wake_code::ready && f->gift == 1,
                 "a wake came first: its gift is there");
  });
  x.thread("waker", [=] {
    const epoch_t e = find_ticket(f);
    f->gift = 1;
    const wake_duty duty = f->state.wake(e, wake_code::ready);
    model::check(duty != wake_duty::enqueue, "nobody enqueues a fiber that is running");
    if (duty == wake_duty::none) ++f->wins[0];
  });
  x.finally([=] {
    model::check(f->wins[0] == f->wins[1], "both agree whether it was woken");
    model::check(f->state.state() == fiber_state::running, "and it runs");
  });
}

// A free record loses its memory, and is used again: its word is zero in between, which the kernel
// writes. A ticket of its first life is still about.
void dropped(execution& x, bool epoch_comes_back) {
  auto f = std::make_shared<fiber>();
  x.thread("owner", [=] {
    f->state.set(fiber_state::running);
    f->ticket.store(f->state.begin_park(stoppable::no), release);
    if (!f->state.cancel_park()) ++f->wins[1];
    f->state.set(fiber_state::unused);
    const epoch_t kept = f->state.epoch();
    f->state.revive(0);
    if (epoch_comes_back) f->state.revive(kept);
    f->state.set(fiber_state::running);
    static_cast<void>(f->state.begin_park(stoppable::no));
    f->stack = 1;
    f->stale = f->state.commit([] { return false; }) == commit_duty::enqueue;
  });
  x.thread("late waker", [=] {
    const wake_duty duty = f->state.wake(find_ticket(f), wake_code::ready);
    model::check(duty != wake_duty::enqueue, "TRIM-2: a ticket of an earlier life wakes nobody");
    if (duty == wake_duty::none) ++f->wins[0];
  });
  x.finally([=] {
    model::check(f->wins[0] == f->wins[1], "both agree whether the first life was woken");
    model::check(!f->stale && f->state.state() == fiber_state::parked,
                 "TRIM-2: the second life is not woken");
  });
}
void dropped_and_used_again(execution& x) { dropped(x, true); }
void dropped_and_forgotten(execution& x) { dropped(x, false); }

}  // namespace

TEST_CASE("PARK-1: a wake is delivered exactly once, however it falls against commit") {
  holds(one_waker);
  holds(two_wakers);
  holds(cancelled);
}

TEST_CASE("PARK-2: a stop before or during a stoppable park ends it") {
  holds(stop_ends_park);
  holds(stop_and_waker);
  holds(stop_leaves_unstoppable);
}

TEST_CASE("PARK-3: a ticket of another epoch changes nothing") { holds(stale_ticket); }

TEST_CASE("TRIM-2: a record whose memory was dropped is a free one, and its epochs go on") {
  holds(dropped_and_used_again);
  CHECK_FALSE(model::explore({}, dropped_and_forgotten).ok());
}

TEST_CASE("PARK: which orderings are needed") {
  const auto all = model::mutate({},
                                 {one_waker, two_wakers, cancelled, stop_ends_park, stop_and_waker,
                                  stop_leaves_unstoppable, stale_ticket},
                                 "fiber/fiber_word.hpp");
  // Not missed: begin_park's release, as the ticket is always published with release after it, and
  // the acquire of wake's first load, as its CAS acquires what wins.
  const std::vector<std::string> expected{
      "load acquire made relaxed",
      "store release made relaxed",
  };
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
