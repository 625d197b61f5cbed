// SPDX-License-Identifier: BSL-1.0
// test/model/unstored_deadlines_model.cpp - TIMER-4: sched/unstored_deadlines.hpp under its queue's
// lock, and fiber/fiber_word.hpp: a wait whose deadline lies in its own frame, against the thread
// that fires it, and one that ends the wait otherwise. A frame is plain memory: whoever reads the
// ticket in it reads that, too.
#include "sched/unstored_deadlines.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fiber/fiber_word.hpp"
#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"

using namespace weft;
using detail::wake_code;
using detail::wake_duty;
using model::bounded;
using model::execution;
using model::holds;

namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

struct fiber {
  detail::basic_fiber_word<model::sync> word;
  model::atomic<unsigned> rung{0};          // enqueued by who won its wake
  model::atomic<detail::epoch_t> epoch{0};  // of its park, for who ends it otherwise
  model::plain<int> frame{0};               // 1 while it waits
  int timeouts = 0;
};
struct ticket {
  ticket(fiber& f, detail::epoch_t e) : of(&f), epoch(e) {}
  ticket(const ticket& other) : of(other.of), epoch(other.epoch) {
    model::check(of->frame == 1, "TIMER-4: the frame of an entry that is read is there");
  }
  fiber* of;
  detail::epoch_t epoch;
};
using deadlines = detail::basic_unstored_deadlines<ticket>;

struct world {
  model::spin_lock lock;
  deadlines due;
  fiber fibers[2];
};
using shared = std::shared_ptr<world>;

void wake(const ticket& who, wake_code code) {
  const ticket mine = who;
  if (mine.of->word.wake(mine.epoch, code) == wake_duty::enqueue) mine.of->rung.store(1, release);
}

// As leave_unstored.
void wait(const shared& w, fiber& me) {
  me.word.set(detail::fiber_state::running);
  const detail::epoch_t epoch = me.word.begin_park(detail::stoppable::no);
  me.frame = 1;
  {
    deadlines::entry mine(5, ticket(me, epoch));
    {
      const std::lock_guard guard(w->lock);
      w->due.add(mine);
    }
    me.epoch.store(epoch, release);
    if (me.word.commit([] { return false; }) == detail::commit_duty::none)
      while (me.rung.load(acquire) == 0) model::sync::pause();
    me.word.set(detail::fiber_state::running);
    const std::lock_guard guard(w->lock);
    static_cast<void>(w->due.remove(mine));
  }
  me.frame = 0;
  if (me.word.code() == wake_code::timeout) ++me.timeouts;
}
// As the holder of the processor, the monitor or the sleeper, again until as many are fired.
void fire(const shared& w, std::size_t many) {
  while (many > 0) {
    {
      const std::lock_guard guard(w->lock);
      many -= w->due.fire(5, many, [](const ticket& who) { wake(who, wake_code::timeout); });
    }
    if (many > 0) model::sync::pause();
  }
}
void fire_once(const shared& w) {
  const std::lock_guard guard(w->lock);
  w->due.fire(5, 2, [](const ticket& who) { wake(who, wake_code::timeout); });
}
// It has what it waits for.
void ready(fiber& f) {
  detail::epoch_t epoch = 0;
  while ((epoch = f.epoch.load(acquire)) == 0) model::sync::pause();
  if (f.word.wake(epoch, wake_code::ready) == wake_duty::enqueue) f.rung.store(1, release);
}

void due(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("fiber", [=] { wait(w, w->fibers[0]); });
  x.thread("timer", [=] { fire(w, 1); });
  x.finally([=] {
    model::check(w->due.empty(), "no entry is left");
    model::check(w->fibers[0].timeouts == 1, "its deadline ends the wait");
  });
}
void two_are_due(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("fiber", [=] { wait(w, w->fibers[0]); });
  x.thread("second", [=] { wait(w, w->fibers[1]); });
  x.thread("timer", [=] { fire(w, 2); });
  x.finally([=] { model::check(w->due.empty(), "no entry is left"); });
}
void ready_and_due(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("fiber", [=] { wait(w, w->fibers[0]); });
  x.thread("waker", [=] { ready(w->fibers[0]); });
  x.thread("timer", [=] { fire_once(w); });
  x.finally([=] { model::check(w->due.empty(), "no entry is left"); });
}

// The mistake: the wake follows the lock.
void wakes_after_the_lock(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("fiber", [=] { wait(w, w->fibers[0]); });
  x.thread("waker", [=] { ready(w->fibers[0]); });
  x.thread("timer", [=] {
    fiber* late = nullptr;
    {
      const std::lock_guard guard(w->lock);
      w->due.fire(5, 2, [&](const ticket& who) { late = who.of; });
    }
    if (late != nullptr) model::check(late->frame == 1, "what it reads to wake it");
  });
}

}  // namespace

TEST_CASE("TIMER-4: a deadline in the frame of its wait is fired, and not read afterwards") {
  holds(due);
  holds(two_are_due, bounded(1));
  holds(ready_and_due, bounded(3));
}
TEST_CASE("TIMER-4: the wake is under the lock") {
  CHECK_FALSE(model::explore(bounded(3), wakes_after_the_lock).ok());
}
