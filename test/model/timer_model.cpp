// SPDX-License-Identifier: BSL-1.0
// test/model/timer_model.cpp - sync/timer_core.hpp: a timer that fires, against reset, stop,
// another waiter and giving up.
#include "sync/timer_core.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/holds.hpp"
#include "model/waiting_env.hpp"

using namespace weft;
using detail::timer_state;
using detail::timer_wait_end;
using model::agent;
using model::execution;

namespace {

using model::holds;

// Time is an atomic that a thread moves; the timer heap is a thread per execution agent that wakes
// each park of it once time has reached its limit, as often as it parks.
struct timer_world {
  std::shared_ptr<model::waiting_world> base = model::new_world();
  model::atomic<std::int64_t> time{0};
  struct sleeper {
    agent s;
    model::atomic<std::int64_t> until{0};
    model::atomic<std::uint32_t> ended{0};
    int end = -1;
  } a, b;
  struct {
    model::waiting_env::wait_list waiters;
    model::plain<std::int64_t> due{1};
    model::plain<std::int64_t> period{0};
  } timer;
  int was_set = -1;
};
timer_world* now_in = nullptr;  // of this execution

struct timer_env : model::waiting_env {
  struct limit {
    std::int64_t until;
    timer_world::sleeper* who;
  };
  static std::int64_t now() { return now_in->time.load(std::memory_order_acquire); }
  static detail::wait_end park(guard& g, waiter& w, const limit& l) {
    l.who->until.store(l.until, std::memory_order_relaxed);  // the ticket is released after it
    return model::waiting_env::park(g, w, {});
  }
};
using env = timer_env;
using shared = std::shared_ptr<timer_world>;

shared new_timer_world() {
  auto w = std::make_shared<timer_world>();
  now_in = w.get();
  return w;
}

void wait(const shared& w, timer_world::sleeper& me, std::int64_t deadline = timer_state::never) {
  me.end = static_cast<int>(detail::wait_for_timer<env>(
      w->timer, [&] { return env::waiter(me.s); },
      [&](std::int64_t now) {
        return deadline <= now ? timer_wait_end::timeout : timer_wait_end::fired;
      },
      [&](std::int64_t due) { return env::limit{std::min(due, deadline), &me}; }));
  me.ended.store(1, std::memory_order_release);
}
// Sleeps for ever when its execution agent has ended: a daemon, which owns nothing.
void heap(timer_world& w, timer_world::sleeper& of) {
  std::uint32_t done = 0;
  for (;;) {
    const std::uint32_t e = of.s.ticket.load(std::memory_order_acquire);
    if (e != done &&
        of.until.load(std::memory_order_relaxed) <= w.time.load(std::memory_order_acquire)) {
      env::expire(of.s);
      done = e;
    } else {
      model::sync::pause();
    }
  }
}
void pass(const shared& w, std::int64_t time) { w->time.store(time, std::memory_order_release); }
bool fired(const timer_world::sleeper& s) {
  return s.end == static_cast<int>(timer_wait_end::fired);
}
bool idle(const timer_world::sleeper& s) { return s.end == static_cast<int>(timer_wait_end::idle); }

void nobody_is_left(const shared& w) {
  model::check(w->timer.waiters.empty(), "nobody is left in the list");
}

// stop() comes at any moment: in time, and the wait ends idle; or too late.
void fire_against_stop(execution& x) {
  auto w = new_timer_world();
  x.thread("waiter", [=] { wait(w, w->a); });
  x.daemon("heap", [p = w.get()] { heap(*p, p->a); });
  x.thread("time", [=] { pass(w, 1); });
  x.thread("stop", [=] { w->was_set = detail::move_timer<env>(w->timer, timer_state::never, 0); });
  x.finally([=] {
    nobody_is_left(w);
    model::check(fired(w->a) || idle(w->a), "the wait ends");
    model::check(!(fired(w->a) && w->was_set == 1),
                 "TIMEOUT-1: what was stopped in time does not fire");
    model::check(w->timer.due == timer_state::never, "taken or stopped");
  });
}

// reset() comes at any moment: to a later time, at which it fires; once in all, unless the first
// firing was taken.
void fire_against_reset(execution& x) {
  auto w = new_timer_world();
  x.thread("waiter", [=] { wait(w, w->a); });
  x.daemon("heap", [p = w.get()] { heap(*p, p->a); });
  x.thread("time", [=] {
    pass(w, 1);
    pass(w, 2);
  });
  x.thread("reset", [=] { w->was_set = detail::move_timer<env>(w->timer, 2, 0); });
  x.finally([=] {
    nobody_is_left(w);
    model::check(fired(w->a), "TIMEOUT-2: who waits sees the new time, and it comes");
    if (w->was_set == 1)
      model::check(w->timer.due == timer_state::never,
                   "reset in time: one firing, and it was taken");
  });
}

// Reset to an earlier time than the one that is slept for: the heap alone would wake too late.
void sooner(execution& x) {
  auto w = new_timer_world();
  w->timer.due = 9;
  x.thread("waiter", [=] { wait(w, w->a); });
  x.daemon("heap", [p = w.get()] { heap(*p, p->a); });
  x.thread("reset", [=] {
    pass(w, 1);
    w->was_set = detail::move_timer<env>(w->timer, 1, 0);
  });
  x.finally([=] {
    nobody_is_left(w);
    model::check(fired(w->a) && w->was_set == 1, "TIMEOUT-2: whoever moves it wakes who waits");
  });
}

void two_wait_for_one(execution& x) {
  auto w = new_timer_world();
  x.thread("a", [=] { wait(w, w->a); });
  x.thread("b", [=] { wait(w, w->b); });
  x.daemon("heap of a", [p = w.get()] { heap(*p, p->a); });
  x.daemon("heap of b", [p = w.get()] { heap(*p, p->b); });
  x.thread("time", [=] { pass(w, 1); });
  x.finally([=] {
    nobody_is_left(w);
    model::check(fired(w->a) != fired(w->b), "TIMEOUT-1: one takes it");
    model::check(idle(w->a) || idle(w->b), "the other finds it idle");
  });
}

// The waiter's own limit and the firing at once: one of the two, and a firing not taken stays.
void fire_against_deadline(execution& x) {
  auto w = new_timer_world();
  x.thread("waiter", [=] { wait(w, w->a, 1); });
  x.daemon("heap", [p = w.get()] { heap(*p, p->a); });
  x.thread("time", [=] { pass(w, 1); });
  x.thread("later", [=] { w->was_set = detail::move_timer<env>(w->timer, 2, 0); });
  x.finally([=] {
    nobody_is_left(w);
    const bool taken = fired(w->a);
    model::check(taken || w->a.end == static_cast<int>(timer_wait_end::timeout), "the wait ends");
    if (w->was_set == 1)
      model::check(!taken, "TIMEOUT-1: moved in time, it does not fire at the old time");
  });
}

model::options with_switches(int n) {
  model::options o;
  o.preemptions = n;
  o.reorder_stores = false;
  o.spurious_failures = 0;
  return o;
}

model::options sampled() {
  model::options o;
  o.random_executions = 20'000;
  return o;
}

// What must be caught, or these tests could not fail: moving without waking.
void moved_in_silence(execution& x) {
  auto w = new_timer_world();
  w->timer.due = 9;
  x.thread("waiter", [=] { wait(w, w->a); });
  x.daemon("heap", [p = w.get()] { heap(*p, p->a); });
  x.thread("reset", [=] {
    pass(w, 1);
    env::guard g(&w->timer);
    w->timer.due = 1;
  });
  x.finally([=] { nobody_is_left(w); });
}

}  // namespace

TEST_CASE("TIMEOUT-1: a firing against stop, a deadline, and another waiter") {
  holds(fire_against_stop, with_switches(2));
  holds(fire_against_deadline, with_switches(1));
  holds(fire_against_deadline, sampled());
  holds(two_wait_for_one, sampled());
}

TEST_CASE("TIMEOUT-2: whoever moves it wakes those who wait") {
  holds(sooner);
  holds(fire_against_reset, with_switches(1));
  holds(fire_against_reset, sampled());
  CHECK(!model::explore({}, moved_in_silence).ok());
}
