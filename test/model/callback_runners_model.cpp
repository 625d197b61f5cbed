// SPDX-License-Identifier: BSL-1.0
// test/model/callback_runners_model.cpp - sched/callback_runners.hpp: fibers that run
// std::stop_callbacks, and fibers that ask whether they do. CB-1 relies on the answer: a fiber that
// missed itself would wait in a callback. And the line in which its thread waits for a processor
// (scheduler::wait_frozen), against a worker that retires and a monitor that reserves the first in
// line and puts it back.
#include "sched/callback_runners.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "base/parker.hpp"
#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"
#include "sched/idle_state.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

struct fiber {};
using runners = detail::basic_callback_runners<model::sync, model::spin_lock, fiber>;
struct world {
  runners all;
  fiber fibers[3];
};
using shared = std::shared_ptr<world>;

void run_callbacks(const shared& w, int n) {
  fiber& self = w->fibers[n];
  model::check(!w->all.has(self), "CB-1: who runs none may wait");
  runners::runner me;
  w->all.add(me, self);
  model::check(w->all.has(self), "CB-1: who runs callbacks knows it");
  w->all.remove(me);
  model::check(!w->all.has(self), "CB-1: and may wait afterwards");
}

void two_run(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("a", [=] { run_callbacks(w, 0); });
  x.thread("b", [=] { run_callbacks(w, 1); });
}

void one_runs_another_asks(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("a", [=] { run_callbacks(w, 0); });
  x.thread("b", [=] { run_callbacks(w, 1); });
  x.thread("asks", [=] { model::check(!w->all.has(w->fibers[2]), "CB-1: it runs none"); });
}

// A callback of one stop request makes another.
void nested(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("a", [=] {
    fiber& self = w->fibers[0];
    runners::runner outer;
    w->all.add(outer, self);
    {
      runners::runner inner;
      w->all.add(inner, self);
      model::check(w->all.has(self), "CB-1: inside both");
      w->all.remove(inner);
    }
    model::check(w->all.has(self), "CB-1: still inside the outer one");
    w->all.remove(outer);
  });
  x.thread("b", [=] { run_callbacks(w, 1); });
}

enum class mistake { none, wakes_nobody, put_back_silently };

// One processor. Of the worker, its sleep and what it does when it is woken with the processor.
template <class Sync>
struct line_scene {
  struct bed {
    model::atomic<unsigned> assigned{0};
    base::basic_parker<Sync> parker;
    void give() {
      assigned.store(1, std::memory_order_release);
      parker.unpark();
    }
  };
  detail::basic_idle_state<Sync> idle;
  model::spin_lock lock;  // the next three
  model::plain<int> in_line{0}, idle_processors{0}, parked{0};
  model::atomic<unsigned> frozen{0};
  bed thread, sleeper;
  model::plain<int> visits{0};  // of the processor: two holders are a race

  void line_up() {
    lock.lock();
    in_line = 1;
    frozen.fetch_add(1, std::memory_order_release);
    lock.unlock();
  }
  bool take_frozen() {
    lock.lock();
    const bool there = in_line != 0;
    if (there) {
      in_line = 0;
      frozen.fetch_sub(1, std::memory_order_relaxed);
    }
    lock.unlock();
    return there;
  }
  void wake_one_if_needed() {
    if (!idle.must_wake() || !idle.try_claim_wake()) return;
    lock.lock();
    const bool sleeps = parked != 0;
    if (sleeps) {
      parked = 0;
      idle_processors = 0;
    } else {
      idle.undo_claim_wake();
    }
    lock.unlock();
    if (sleeps) sleeper.give();
  }
};

// scheduler::wait_frozen
template <class Sync>
void waits_frozen(line_scene<Sync>& s, mistake wrong) {
  s.line_up();
  if (wrong != mistake::wakes_nobody) s.wake_one_if_needed();
  while (s.thread.assigned.load(std::memory_order_acquire) == 0) s.thread.parker.park();
  s.visits = s.visits + 1;
}

// retire and sleep of idle.cpp, thaw of thaw.cpp
template <class Sync>
void retires(line_scene<Sync>& s) {
  bool searching = false;
  for (;;) {
    s.visits = s.visits + 1;
    if (s.take_frozen()) {
      if (searching) static_cast<void>(s.idle.end_search());
      return s.thread.give();
    }
    s.lock.lock();
    s.idle_processors = s.parked = 1;
    s.lock.unlock();
    s.idle.retire(searching);
    searching = true;
    if (s.frozen.load(std::memory_order_seq_cst) != 0 && s.idle.try_unretire()) {
      s.lock.lock();
      const bool mine = s.sleeper.assigned.load(std::memory_order_acquire) == 0;
      if (mine)
        s.idle_processors = s.parked = 0;
      else
        s.idle.undo_claim_wake();
      s.lock.unlock();
      if (mine) continue;
    }
    while (s.sleeper.assigned.load(std::memory_order_acquire) == 0) s.sleeper.parker.park();
    s.sleeper.assigned.store(0, std::memory_order_relaxed);
  }
}

template <class Sync>
model::program line(mistake wrong = mistake::none) {
  return [=](execution& x) {
    auto s = std::make_shared<line_scene<Sync>>();
    x.thread("frozen", [=] { waits_frozen(*s, wrong); });
    x.daemon("worker", [s = s.get()] { retires(*s); });
    x.thread("monitor", [=] {  // reserve_frozen, release; then watch_idle
      if (!s->take_frozen()) return;
      s->line_up();
      if (wrong != mistake::put_back_silently) s->wake_one_if_needed();
    });
    x.finally(
        [=] { model::check(s->thread.assigned.load(std::memory_order_relaxed) == 1, "given"); });
  };
}

}  // namespace

TEST_CASE("CB-1, IDLE-1: a thread that waits for a processor with its fiber is given one") {
  holds(line<model::sync>(), model::bounded(3));
  for (const mistake wrong : {mistake::wakes_nobody, mistake::put_back_silently})
    CHECK(model::explore(model::bounded(3), line<model::sync>(wrong)).end ==
          model::verdict::deadlocked);
  CHECK_FALSE(model::explore(model::bounded(3), line<model::no_heavy_fence_sync>()).ok());
}

TEST_CASE("CB-1: a fiber knows whether it runs stop callbacks") {
  holds(two_run, model::bounded(3));
  holds(nested, model::bounded(2));
  holds(one_runs_another_asks, model::bounded(1));
}

TEST_CASE("CB-1: the lock orders everything") {
  const auto all = model::mutate(model::bounded(1), {two_run, nested, one_runs_another_asks},
                                 "/callback_runners.hpp");
  CHECK_MESSAGE(all.empty(), model::list(all));
}
