// SPDX-License-Identifier: BSL-1.0
// test/model/once_model.cpp - sync/once_core.hpp: callers that run a function once, or fail, and
// those that wait for them. A caller that nobody wakes is a deadlock.
#include "sync/once_core.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/waiting_objects.hpp"

using namespace weft;
using detail::once_stage;
using model::agent;
using model::execution;
using model::holds;
using model::with_switches;
using env = model::waiting_env;

namespace {

enum class mistake { none, wakes_nobody, leaves_it_free };

struct state {
  model::atomic<once_stage> stage{once_stage::idle};
  model::atomic<void*> runner{nullptr};
  env::wait_list waiters;
  detail::once_parts<env> parts() { return {this, stage, runner, waiters}; }
};
struct world : model::world<state> {
  model::plain<int> ran{0};     // by the function
  model::plain<int> failed{0};  // calls that threw
  model::atomic<unsigned> through{0};
};
using shared = std::shared_ptr<world>;

// As weft::call_once; the function throws for the first `failures` times. False: it threw.
bool call(const shared& w, agent& s, int failures = 0, mistake wrong = mistake::none) {
  state& f = *w->object;
  if (f.stage.load(std::memory_order_acquire) == once_stage::done) return true;  // [ONCE-1]
  env::waiter me(s);
  if (!detail::begin_once<env>(f.parts(), me, [] { model::check(false, "from within"); }))
    return true;
  const bool fails = w->failed < failures;
  if (fails)
    w->failed = w->failed + 1;
  else
    w->ran = w->ran + 1;
  if (fails && wrong == mistake::leaves_it_free)
    f.stage.store(once_stage::idle, std::memory_order_relaxed);
  else if (!fails && wrong == mistake::wakes_nobody)
    f.stage.store(once_stage::done, std::memory_order_release);
  else
    detail::end_once<env>(f.parts(), fails ? once_stage::idle : once_stage::done);
  return !fails;
}
void has_run(const shared& w) {
  model::check(w->ran == 1, "ONCE-1: done, and what the call did is seen; ONCE-2: once");
}

void two_callers(execution& x) {
  auto w = std::make_shared<world>();
  const auto calls = [=](agent& s) {
    static_cast<void>(call(w, s));
    has_run(w);
  };
  x.thread("a", [=] { calls(w->a); });
  x.thread("b", [=] { calls(w->b); });
}
void three_callers(execution& x) {
  auto w = std::make_shared<world>();
  const auto calls = [=](agent& s) {
    static_cast<void>(call(w, s));
    has_run(w);
    // The last one that is through destroys it.
    if (w->through.fetch_add(1, std::memory_order_acq_rel) == 2) w->object.reset();
  };
  x.thread("a", [=] { calls(w->a); });
  x.thread("b", [=] { calls(w->b); });
  x.thread("c", [=] { calls(w->c); });
}
// A caller that finds it done destroys it, while the one that ran it may still be in its call.
void late_one_destroys(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("runs", [=] {
    state& f = *w->object;
    env::waiter me(w->a);
    if (!detail::begin_once<env>(f.parts(), me, [] {})) return;
    w->ran = 1;
    detail::end_once<env>(f.parts(), once_stage::done);
  });
  x.thread("late", [=] {
    while (w->object->stage.load(std::memory_order_acquire) != once_stage::done)  // [ONCE-1]
      model::sync::pause();
    has_run(w);
    w->object.reset();  // ONCE-3
  });
}

// Calls that fail: another caller tries, each in its turn, and none waits for nobody.
template <int Failures, mistake M = mistake::none>
void fails(execution& x) {
  auto w = std::make_shared<world>();
  const auto calls = [=](agent& s) {
    if (call(w, s, Failures, M)) has_run(w);
  };
  x.thread("a", [=] { calls(w->a); });
  x.thread("b", [=] { calls(w->b); });
  if (Failures > 1) x.thread("c", [=] { calls(w->c); });
  x.finally([=] {
    model::check(w->failed == Failures && w->ran == 1, "ONCE-2: one of those that waited tries");
    model::check(w->object->runner.load(std::memory_order_relaxed) == nullptr, "nobody runs it");
  });
}

}  // namespace

TEST_CASE("ONCE-1, ONCE-2: one runs, and the others see what it did") {
  holds(two_callers, with_switches(3));
  holds(three_callers, with_switches(1));
}
TEST_CASE("ONCE-2: after a call that failed one of the waiters tries") {
  holds(fails<1>, with_switches(3));
  holds(fails<2>, with_switches(1));
}
TEST_CASE("ONCE-3: a caller that finds it done may destroy it") { holds(late_one_destroys); }

TEST_CASE("ONCE: the steps of the end are needed") {
  CHECK_FALSE(model::explore(with_switches(2), fails<0, mistake::wakes_nobody>).ok());
  CHECK_FALSE(model::explore(with_switches(2), fails<1, mistake::leaves_it_free>).ok());
}
TEST_CASE("ONCE: which orderings are needed") {
  const auto all =
      model::mutate(with_switches(2), {two_callers, late_one_destroys, fails<1>}, "/once_");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
