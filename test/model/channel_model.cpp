// SPDX-License-Identifier: BSL-1.0
// test/model/channel_model.cpp - the commit of channels and selects: the shipped fiber word, under
// a lock, with queues of one place as in sync/channel_core.hpp.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "fiber/fiber_word.hpp"
#include "model/explorer.hpp"
#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"

using namespace weft;
using namespace weft::detail;
using model::execution;
using model::holds;
using model::switches;

namespace {

// LOCK-2 is proved in biased_lock_model.cpp; here a lock is what excludes others.
// One execution agent of the protocol: it parks with its ticket in up to two places, each under its
// channel's lock.
struct agent {
  basic_fiber_word<model::sync> word;
  model::plain<int> stack{0};
  model::plain<int> got{0};
  int resumed = 0;
};
struct place {  // a channel's queue, one waiter long
  agent* who = nullptr;
  epoch_t epoch = 0;
  wake_code code{};
};
struct world {
  model::spin_lock lock;  // one for all: SELECT takes them together
  model::plain<place> queue[2];
  agent a, b;
  int taken_from[2] = {};
};
using shared = std::shared_ptr<world>;

void resume(agent& s) {
  s.stack = 2;
  ++s.resumed;
  s.word.set(fiber_state::running);
}

wake_code code_of(int i) { return static_cast<wake_code>(8 + i); }

void park_in(const shared& w, agent& s, std::vector<int> queues) {
  s.word.set(fiber_state::running);
  w->lock.lock();
  const epoch_t e = s.word.begin_park(stoppable::no);
  for (const int q : queues) w->queue[q] = place{&s, e, code_of(q)};
  w->lock.unlock();
  s.stack = 1;
  if (s.word.commit([] { return false; }) == commit_duty::enqueue) resume(s);
}

// put: claims whoever is in queue q, moves the value after the claim, under the lock. True:
// somebody took it.
bool put(const shared& w, int q, int value) {
  agent* to_enqueue = nullptr;
  bool done = false;
  w->lock.lock();
  const place p = w->queue[q];
  if (p.who != nullptr) {
    const wake_duty duty = p.who->word.wake(p.epoch, p.code);
    if (duty != wake_duty::stale) {
      p.who->got = value;
      done = true;
    }
    if (duty == wake_duty::enqueue) to_enqueue = p.who;
    w->queue[q] = place{};
  }
  w->lock.unlock();
  if (to_enqueue != nullptr) resume(*to_enqueue);
  return done;
}

// SELECT-1: one select in two queues, a sender at each: exactly one value is taken, by the case the
// code says.
void select_two_senders(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("select", [=] { park_in(w, w->a, {0, 1}); });
  for (const int q : {0, 1})
    x.thread(q == 0 ? "sender 0" : "sender 1", [=] { w->taken_from[q] = put(w, q, 10 + q); });
  x.finally([=] {
    const int taken = w->taken_from[0] + w->taken_from[1];
    model::check(taken <= 1, "SELECT-1: one case is taken at most");
    model::check(w->a.resumed == taken, "SELECT-1: resumed exactly if a case was taken");
    if (taken == 1) {
      const int q = w->taken_from[1];
      model::check(w->a.word.code() == code_of(q), "SELECT-1: the code says which");
      model::check(w->a.got == 10 + q, "SELECT-1: and its value is there");
    }
  });
}

// Two selects, each a sender in the other's queue: under the lock look first, publish after.
void select_against_select(execution& x) {
  auto w = std::make_shared<world>();
  const auto side = [=](agent& me, int mine, int other) {
    agent* to_enqueue = nullptr;
    me.word.set(fiber_state::running);
    w->lock.lock();
    const place p = w->queue[other];
    if (p.who != nullptr) {  // step 3: no ticket of mine is out
      const wake_duty duty = p.who->word.wake(p.epoch, p.code);
      model::check(duty != wake_duty::stale, "nobody else claims it here");
      p.who->got = 20 + other;
      w->queue[other] = place{};
      if (duty == wake_duty::enqueue) to_enqueue = p.who;
      w->taken_from[other] = 1;
      w->lock.unlock();
      if (to_enqueue != nullptr) resume(*to_enqueue);
      return;
    }
    w->queue[mine] = place{&me, me.word.begin_park(stoppable::no), code_of(mine)};
    w->lock.unlock();
    me.stack = 1;
    if (me.word.commit([] { return false; }) == commit_duty::enqueue) resume(me);
  };
  x.thread("a", [=] { side(w->a, 0, 1); });
  x.thread("b", [=] { side(w->b, 1, 0); });
  x.finally([=] {
    model::check(w->taken_from[0] + w->taken_from[1] == 1, "SELECT-1: they meet, and once");
    model::check(w->a.resumed + w->b.resumed == 1, "SELECT-1: one took, the other was served");
  });
}

// CHAN-3: a value and a time against one waiting receiver: one of them ends the wait.
void send_against_timeout(execution& x) {
  auto w = std::make_shared<world>();
  auto fired = std::make_shared<int>(0);
  x.thread("receiver", [=] { park_in(w, w->a, {0}); });
  x.thread("sender", [=] { w->taken_from[0] = put(w, 0, 5); });
  x.thread("timer", [=] {
    w->lock.lock();
    const place p = w->queue[0];  // as the timer heap: a ticket it was given before
    w->lock.unlock();
    if (p.who == nullptr) return;
    const wake_duty duty = p.who->word.wake(p.epoch, wake_code::timeout);
    *fired = duty != wake_duty::stale;
    if (duty == wake_duty::enqueue) resume(*p.who);
  });
  x.finally([=] {
    model::check(w->taken_from[0] + *fired <= 1, "CHAN-3: a claim that fails moves nothing");
    model::check(w->a.resumed == w->taken_from[0] + *fired, "the wait ends once");
    if (*fired) model::check(w->a.got == 0, "CHAN-3: after a timeout no value arrives");
  });
}

// CHAN-4: the claims of close against those of the other side, a time, and waiters that come late.
// A waiter's outcome is stored after its claim, under the lock; a waiter that sees the claim first
// passes through the lock once (outcome_of).
enum class ended : int { open, moved, closed, timeout };
struct closing_world : world {
  bool is_closed = false;  // under the lock
  model::atomic<int> outcome{0};
  int of_wait = 0, of_put = 0, of_close = 0;
  int timed_out = 0;
};
using closing_shared = std::shared_ptr<closing_world>;

// One end waits in queue 0, unless it is closed: wait_for_turn.
void wait_in_open(const closing_shared& w) {
  w->a.word.set(fiber_state::running);
  w->lock.lock();
  if (w->is_closed) {
    w->lock.unlock();
    w->of_wait = static_cast<int>(ended::closed);
    return;
  }
  w->queue[0] = place{&w->a, w->a.word.begin_park(stoppable::no), code_of(0)};
  w->lock.unlock();
  w->a.stack = 1;
  if (w->a.word.commit([] { return false; }) == commit_duty::enqueue) resume(w->a);
}
// What the waiter does once it runs again, on whatever thread: `resumed` says it does.
void after_the_wait(const closing_shared& w) {
  if (w->a.word.code() == wake_code::timeout) {
    w->of_wait = static_cast<int>(ended::timeout);
    return;
  }
  int o = w->outcome.load(std::memory_order_acquire);
  if (o == 0) {
    w->lock.lock();
    w->lock.unlock();
    o = w->outcome.load(std::memory_order_relaxed);
  }
  w->of_wait = o;
}
agent* claim_first(const closing_shared& w, bool& claimed) {
  const place p = w->queue[0];
  claimed = false;
  if (p.who == nullptr) return nullptr;
  w->queue[0] = place{};
  const wake_duty duty = p.who->word.wake(p.epoch, p.code);
  claimed = duty != wake_duty::stale;
  return duty == wake_duty::enqueue ? p.who : nullptr;
}
enum class closing { wakes, forgets };  // forgets: wrong, and must be found
void serve_then_resume(const closing_shared& w, bool closes, int& result,
                       closing how = closing::wakes) {
  bool claimed = false;
  w->lock.lock();
  if (w->is_closed) {
    result = static_cast<int>(ended::closed);
    w->lock.unlock();
    return;
  }
  if (closes) w->is_closed = true;
  agent* const owed = closes && how == closing::forgets ? nullptr : claim_first(w, claimed);
  if (claimed && !closes) w->a.got = 5;
  if (claimed)
    w->outcome.store(static_cast<int>(closes ? ended::closed : ended::moved),
                     std::memory_order_release);
  result = static_cast<int>(claimed ? ended::moved : ended::open);
  w->lock.unlock();
  if (owed != nullptr) resume(*owed);
}
template <bool WithTimer, closing How = closing::wakes>
void close_against_waiter(execution& x) {
  auto w = std::make_shared<closing_world>();
  x.thread("waiter", [=] { wait_in_open(w); });
  x.thread("other side", [=] { serve_then_resume(w, false, w->of_put); });
  x.thread("close", [=] { serve_then_resume(w, true, w->of_close, How); });
  if (WithTimer)
    x.thread("timer", [=] {
      w->lock.lock();
      const place p = w->queue[0];
      w->lock.unlock();
      if (p.who == nullptr) return;
      const wake_duty duty = p.who->word.wake(p.epoch, wake_code::timeout);
      w->timed_out = duty != wake_duty::stale;
      if (duty == wake_duty::enqueue) resume(*p.who);
    });
  x.finally([=] {
    if (w->a.resumed > 0) after_the_wait(w);
    const auto end = static_cast<ended>(w->of_wait);
    model::check(end != ended::open,
                 "CHAN-4: after close nobody waits, and whoever waited is told");
    model::check(w->a.resumed <= 1, "the wait ends once");
    model::check((end == ended::moved) == (w->of_put == static_cast<int>(ended::moved)),
                 "CHAN-3: the value was moved exactly if the other side says so");
    if (end == ended::moved) model::check(w->a.got == 5, "CHAN-3: and it is there");
    if (end == ended::timeout)
      model::check(w->timed_out == 1 && w->a.got == 0, "after a timeout no value arrives");
    model::check(w->queue[0].read().who == nullptr || end == ended::timeout,
                 "CHAN-4: the queue stays empty");
  });
}

// SELECT-1, step 4: the ticket lies in a channel's queue when another source turns out to be ready.
// Either the select takes its park back, and the channel's claim fails and moves nothing; or the
// claim was first, and the channel's case is taken.
void cancel_against_sender(execution& x) {
  auto w = std::make_shared<world>();
  auto cancelled = std::make_shared<int>(0);
  x.thread("select", [=] {
    w->a.word.set(fiber_state::running);
    w->lock.lock();
    w->queue[0] = place{&w->a, w->a.word.begin_park(stoppable::no), code_of(0)};
    w->lock.unlock();
    *cancelled = w->a.word.cancel_park();
    if (!*cancelled) model::check(w->a.word.code() == code_of(0), "SELECT-1: the code says which");
    w->lock.lock();  // step 6; and a claim was finished by then
    w->queue[0] = place{};
    if (*cancelled)
      model::check(w->a.got == 0, "CHAN-3: a claim that fails moves nothing");
    else
      model::check(w->a.got == 10, "SELECT-1: the case that is taken has its value");
    w->lock.unlock();
    // The next park of the same fiber: a ticket of the last one must not end it.
    w->lock.lock();
    const epoch_t e = w->a.word.begin_park(stoppable::no);
    w->queue[1] = place{&w->a, e, code_of(1)};
    w->lock.unlock();
    w->a.stack = 1;
    if (w->a.word.commit([] { return false; }) == commit_duty::enqueue) resume(w->a);
  });
  for (const int q : {0, 1})
    x.thread(q == 0 ? "sender 0" : "sender 1", [=] { w->taken_from[q] = put(w, q, 10 + q); });
  x.finally([=] {
    model::check(w->taken_from[0] == 0 || *cancelled == 0, "SELECT-1: never both");
    model::check(w->a.resumed == w->taken_from[1],
                 "SELECT-1: the second wait ends by its own claim only");
    if (w->taken_from[1]) model::check(w->a.got == 11, "and has its value");
  });
}

}  // namespace

TEST_CASE("SELECT-1: one case is taken, and by the code it was won with") {
  holds(select_two_senders, switches);
  holds(select_against_select, switches);
}

TEST_CASE("SELECT-1: a wait that is taken back, against the claim of one of its channels") {
  holds(cancel_against_sender, switches);
}

TEST_CASE("CHAN-4: close against a waiter, who waits for it, and a timer") {
  holds(close_against_waiter<false>, switches);
  holds(close_against_waiter<true>, 2);
  CHECK(!model::explore({}, close_against_waiter<false, closing::forgets>).ok());
}

TEST_CASE("CHAN-3: a value against a timer") { holds(send_against_timeout, switches); }
