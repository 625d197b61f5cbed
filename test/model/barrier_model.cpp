// SPDX-License-Identifier: BSL-1.0
// test/model/barrier_model.cpp - sync/barrier_core.hpp: participants that meet again and again,
// give up, leave, and destroy the barrier once they are through. A participant that nobody wakes is
// a deadlock.
#include "sync/barrier_core.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/waiting_objects.hpp"

using namespace weft;
using detail::arrival;
using detail::barrier_drop;
using detail::wait_end;
using model::agent;
using model::execution;
using model::holds;
using model::holds_in_sample;
using model::with_switches;
using env = model::waiting_env;

namespace {

struct state {
  model::atomic<std::uint64_t> phase{0};
  model::plain<std::ptrdiff_t> expected{0}, pending{0};  // under the guard
  env::wait_list waiters;
};
struct world : model::world<state> {
  explicit world(std::ptrdiff_t n) {
    object->expected = n;
    object->pending = n;
  }
  model::plain<int> part[3]{0, 0, 0};  // what each has done in this phase
  model::plain<int> sum{0};            // the completion's
  model::atomic<unsigned> through{0};
};
using shared = std::shared_ptr<world>;

// As weft::barrier, whose completion adds up the parts.
bool arrive(const shared& w, std::uint64_t& phase, barrier_drop drop = barrier_drop::no) {
  state& b = *w->object;
  const arrival a = detail::arrive<env>(b, 1, drop, phase);
  model::check(a != arrival::too_many, "it expects this one");
  if (a == arrival::early) return false;
  w->sum = w->sum + w->part[0] + w->part[1] + w->part[2];
  detail::end_phase<env>(b);
  return true;
}
bool wait(const shared& w, std::uint64_t phase, agent& s) {
  state& b = *w->object;
  if (b.phase.load(std::memory_order_acquire) != phase) return true;  // [BAR-1] as finished
  env::waiter me(s);
  return detail::wait_for_phase<env>(b, phase, me, {}) == wait_end::ready;
}
void arrive_and_wait(const shared& w, agent& s) {
  std::uint64_t phase = 0;
  if (!arrive(w, phase)) model::check(wait(w, phase, s), "nobody else ends it");
}

// The one that waits may destroy the barrier once it is through.
void waiter_destroys(execution& x) {
  auto w = std::make_shared<world>(2);
  x.thread("arrives", [=] {
    w->part[0] = 1;
    std::uint64_t phase = 0;
    static_cast<void>(arrive(w, phase));
  });
  x.thread("waits", [=] {
    w->part[1] = 2;
    arrive_and_wait(w, w->a);
    model::check(w->sum == 3, "BAR-1: the completion saw all, and is seen");
    w->object.reset();
  });
}

// Two meet twice: the second completion writes over what both have read after the first.
void two_phases(execution& x) {
  auto w = std::make_shared<world>(2);
  const auto meets = [=](int me, agent& s) {
    for (int i = 1; i <= 2; ++i) {
      w->part[me] = i;
      arrive_and_wait(w, s);
      model::check(w->sum == i * (i + 1), "BAR-2: one completion for each phase");
    }
  };
  x.thread("a", [=] { meets(0, w->a); });
  x.thread("b", [=] { meets(1, w->b); });
}

void three_meet(execution& x) {
  auto w = std::make_shared<world>(3);
  const auto meets = [=](int me, agent& s) {
    w->part[me] = 1;
    arrive_and_wait(w, s);
    model::check(w->sum == 3, "BAR-1: the completion saw all, and is seen");
    // The last one that is through destroys it.
    if (w->through.fetch_add(1, std::memory_order_acq_rel) == 2) w->object.reset();
  };
  x.thread("a", [=] { meets(0, w->a); });
  x.thread("b", [=] { meets(1, w->b); });
  x.thread("c", [=] { meets(2, w->c); });
}

// One gives up its wait at any moment; its arrival counts, and it can wait again.
void one_gives_up(execution& x) {
  auto w = std::make_shared<world>(2);
  x.thread("a", [=] {
    std::uint64_t phase = 0;
    if (arrive(w, phase) || wait(w, phase, w->a)) return;
    w->a.ticket.store(0, std::memory_order_relaxed);
    while (!wait(w, phase, w->a)) model::sync::pause();
  });
  x.thread("b", [=] { arrive_and_wait(w, w->b); });
  x.thread("timer", [=] { env::expire(w->a); });
  x.finally([=] { model::check(w->object->waiters.empty(), "nobody is left in the list"); });
}

// One leaves: the next phase is the other's alone.
void one_leaves(execution& x) {
  auto w = std::make_shared<world>(2);
  x.thread("leaves", [=] {
    std::uint64_t phase = 0;
    static_cast<void>(arrive(w, phase, barrier_drop::yes));
  });
  x.thread("stays", [=] {
    arrive_and_wait(w, w->a);
    arrive_and_wait(w, w->a);
    model::check(w->object->phase.load(std::memory_order_relaxed) == 2, "BAR-2: two phases");
    w->object.reset();
  });
}

// What BAR-1 prevents: the phase is stored before the list is taken.
void phase_before_the_list(execution& x) {
  auto w = std::make_shared<world>(2);
  x.thread("last", [=] {
    state& b = *w->object;
    std::uint64_t phase = 0;
    if (detail::arrive<env>(b, 1, barrier_drop::no, phase) != arrival::last) return;
    b.phase.store(1, std::memory_order_release);
    detail::end_phase<env>(b);
  });
  x.thread("waits", [=] {
    state& b = *w->object;
    std::uint64_t phase = 0;
    if (detail::arrive<env>(b, 1, barrier_drop::no, phase) == arrival::last) return;
    static_cast<void>(wait(w, phase, w->a));
    w->object.reset();
  });
}

}  // namespace

TEST_CASE("BAR-1: a waiter that is through may destroy the barrier") {
  holds(waiter_destroys);
  holds(three_meet, with_switches(1));
  holds(one_leaves, with_switches(2));
}
TEST_CASE("BAR-2: one completion for each phase, alone with what it works on") {
  holds(two_phases, with_switches(2));
}
TEST_CASE("BAR: a participant that gives up is in no list, and counts") {
  holds(one_gives_up, with_switches(1));
}
TEST_CASE("BAR-1: the phase is the last touch") {
  CHECK(model::explore(with_switches(1), phase_before_the_list).end == model::verdict::raced);
}
TEST_CASE("BAR: which orderings are needed") {
  const auto all = model::mutate(with_switches(1), {waiter_destroys}, "/barrier_");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
