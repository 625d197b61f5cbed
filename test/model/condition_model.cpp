// SPDX-License-Identifier: BSL-1.0
// test/model/condition_model.cpp - a condition variable: no notification is missed, none swallowed.
#include "sync/condition_core.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/spin_lock.hpp"
#include "model/waiting_objects.hpp"

using namespace weft;
using detail::wait_end;
using model::agent;
using model::execution;
using model::holds;
using model::holds_in_sample;
using model::holds_widely;
using model::with_switches;
using model::world;
using env = model::waiting_env;

namespace {

struct condition {
  model::atomic<std::uint32_t> waiting{0};
  env::wait_list waiters;
};
struct cv_world : world<condition> {
  model::spin_lock lock;
  model::plain<int> tokens{0};
  model::atomic<std::uint32_t> arrived{0};  // a has ended
};
using cv = std::shared_ptr<cv_world>;

wait_end wait(const cv& w, agent& s) {
  env::waiter me(s);
  const wait_end end =
      detail::wait_for_notification<env>(*w->object, me, env::limit{}, [&] { w->lock.unlock(); });
  w->lock.lock();
  return end;
}
void notify_one(const cv& w) {
  if (w->object->waiting.load(std::memory_order_relaxed) != 0)
    detail::notify_first<env>(*w->object);
}

// The condition changes under the lock, the notification comes after it: never missed.
void not_missed(execution& x) {
  auto w = std::make_shared<cv_world>();
  x.thread("waiter", [=] {
    w->lock.lock();
    while (w->tokens == 0) model::check(wait(w, w->a) == wait_end::ready, "nobody else ends it");
    w->lock.unlock();
    w->object.reset();  // CV-2
  });
  x.thread("notifier", [=] {
    w->lock.lock();
    w->tokens = 1;
    notify_one(w);  // under the lock: only so may the waiter destroy it
    w->lock.unlock();
  });
}

// notify vs. timeout (or stop): a may give up at any moment; b must get the one notification then.
// A notified a passes it on.
enum class gives_up : std::uint8_t { first, later };
template <detail::wake_code How, gives_up When>
void not_swallowed(execution& x) {
  auto w = std::make_shared<cv_world>();
  x.thread("a", [=] {
    w->lock.lock();
    const wait_end end = wait(w, w->a);
    w->lock.unlock();
    if (end == wait_end::ready) notify_one(w);
    w->arrived.store(1, std::memory_order_release);
  });
  x.thread("b", [=] {
    w->lock.lock();
    while (w->tokens == 0) model::check(wait(w, w->b) == wait_end::ready, "nobody else ends it");
    w->lock.unlock();
  });
  x.thread("notifier", [=] {
    // its wake is won, and it may still be in the list
    if (When == gives_up::first) env::expire(w->a, How);
    w->lock.lock();
    w->tokens = 1;
    w->lock.unlock();
    notify_one(w);
    env::expire(w->a, How);  // and a would wait for ever if it came late
    while (w->a.ticket.load(std::memory_order_acquire) == 0 &&
           w->arrived.load(std::memory_order_acquire) == 0)
      model::sync::pause();
    env::expire(w->a, How);
  });
  x.finally([=] {
    model::check(w->object->waiting.load(std::memory_order_relaxed) == 0, "CV-3");
    model::check(w->object->waiters.empty(), "nobody is left in the list");
  });
}

// One waiter, and a notification, a deadline and a stop request that fall together: one of them
// ends the wait.
void notify_timeout_stop(execution& x) {
  auto w = std::make_shared<cv_world>();
  auto end = std::make_shared<int>(-1);
  x.thread("waiter", [=] {
    w->lock.lock();
    *end = static_cast<int>(wait(w, w->a));
    w->data = w->data + 1;  // the user's lock is held again, however it ended
    w->lock.unlock();
    w->arrived.store(1, std::memory_order_release);
  });
  x.thread("notifier", [=] {
    w->lock.lock();
    w->data = w->data + 1;
    w->lock.unlock();
    notify_one(w);
  });
  x.thread("stop", [=] { env::expire(w->a, detail::wake_code::stop); });
  x.thread("timer", [=] {  // the notification may have come before the wait: then time ends it
    while (w->a.ticket.load(std::memory_order_acquire) == 0 &&
           w->arrived.load(std::memory_order_acquire) == 0)
      model::sync::pause();
    env::expire(w->a);
  });
  x.finally([=] {
    model::check(*end >= 0 && w->data == 2, "the wait ends once, with the lock");
    model::check(w->object->waiting.load(std::memory_order_relaxed) == 0, "CV-3");
    model::check(w->object->waiters.empty(), "nobody is left in the list");
  });
}

// a's unlock throws: a is in no list then, and one of two notifications reaches b.
struct no_unlock {};
void unlock_throws(execution& x) {
  auto w = std::make_shared<cv_world>();
  x.thread("a", [=] {
    env::waiter me(w->a);
    try {
      detail::wait_for_notification<env>(*w->object, me, env::limit{}, [] { throw no_unlock(); });
    } catch (const no_unlock&) {
      return model::check(!detail::is_linked(me), "what is unwound is in no list");
    }
    model::check(false, "the exception is the caller's");
  });
  x.thread("b", [=] {
    w->lock.lock();
    while (w->tokens == 0) model::check(wait(w, w->b) == wait_end::ready, "nobody else ends it");
    w->lock.unlock();
  });
  x.thread("notifier", [=] {
    w->lock.lock();
    w->tokens = 1;
    w->lock.unlock();
    notify_one(w);  // a may have it
    notify_one(w);
  });
  x.finally([=] {
    model::check(w->object->waiting.load(std::memory_order_relaxed) == 0, "CV-3");
    model::check(w->object->waiters.empty(), "nobody is left in the list");
  });
}

// notify_all lets others in while waiters are left in its list. One of them gives up there. All
// were notified, so the first one to return may destroy the condition.
enum class mistake : std::uint8_t { none, reads_the_condition_again };
template <mistake M>
void notify_all(condition& c) {
  if (M == mistake::none) return detail::notify_everyone<model::gaps_env>(c);
  env::wake_list out;
  env::guard g(&c);
  while (auto* w = detail::pop_front<env::waiter>(c.waiters)) {
    static_cast<void>(detail::notify_waiter<env>(out, *w));
    detail::let_others_in<model::gaps_env>(g, out, 1);
  }
}
enum class then : std::uint8_t { destroyed, looked_at };
template <then Then, mistake M = mistake::none>
void gives_up_in_the_gap(execution& x) {
  auto w = std::make_shared<cv_world>();
  auto listed = std::make_shared<model::atomic<std::uint32_t>>(0);
  const auto waits = [=](agent& s) {
    env::waiter me(s);
    return detail::wait_for_notification<env>(
        *w->object, me, env::limit{}, [&] { listed->fetch_add(1, std::memory_order_acq_rel); });
  };
  x.thread("a", [=] {
    model::check(waits(w->a) == wait_end::ready, "nobody else ends it");
    env::expire(w->b);
    if (Then == then::destroyed) w->object.reset();  // CV-2
  });
  x.thread("b", [=] {
    while (listed->load(std::memory_order_acquire) == 0) model::sync::pause();  // behind a
    static_cast<void>(waits(w->b));
  });
  x.thread("notifier", [=] {
    condition& c = *w->object;
    while (listed->load(std::memory_order_acquire) != 2) model::sync::pause();
    notify_all<M>(c);
  });
  x.finally([=] {
    if (Then == then::destroyed) return;
    model::check(w->object->waiting.load(std::memory_order_relaxed) == 0, "CV-3");
    model::check(w->object->waiters.empty(), "nobody is left in the list");
  });
}

}  // namespace

TEST_CASE("CV: notify, timeout, stop") {
  holds_widely(not_missed);
  holds_widely(notify_timeout_stop);
  // Who comes first is all that matters: a switch where somebody waits, and nowhere else.
  holds(not_swallowed<detail::wake_code::timeout, gives_up::first>, with_switches(0));
  holds_in_sample(not_swallowed<detail::wake_code::timeout, gives_up::later>);
  holds_in_sample(not_swallowed<detail::wake_code::stop, gives_up::later>);
  holds_widely(unlock_throws);
}

TEST_CASE("CV-2: when all were notified it may be destroyed, also while notify_all is at it") {
  holds(gives_up_in_the_gap<then::destroyed>, with_switches(1));
  holds(gives_up_in_the_gap<then::looked_at>, with_switches(0));
  CHECK(!model::explore(with_switches(2),
                        gives_up_in_the_gap<then::destroyed, mistake::reads_the_condition_again>)
             .ok());
}
