// SPDX-License-Identifier: BSL-1.0
// test/model/mutex_model.cpp - sync/mutex_core.hpp: exclusion, no waiter left behind, who may
// destroy it.
#include "sync/mutex_core.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/waiting_env.hpp"

using namespace weft;
using model::execution;
using model::strand;
using env = model::waiting_env;

namespace {

constexpr std::uint32_t locked = 1;
constexpr std::int64_t for_ever = 2 * detail::mutex_patience_ns;

struct mutex {
  model::atomic<std::uint32_t> word{0};
  detail::wait_list waiters;

  bool lock(strand& s, env::limit l = {}) {
    if ((word.fetch_or(locked, std::memory_order_acquire) & locked) == 0) return true;
    env::waiter me(s);
    return detail::lock_contended<env>(*this, me, l);
  }
  void unlock() {
    std::uint32_t w = locked;
    if (!word.compare_exchange_strong(w, 0, std::memory_order_release, std::memory_order_relaxed))
      detail::unlock_contended<env>(*this);
  }
};

struct world {
  explicit world(std::int64_t step) : base(model::new_world(step)) {}
  std::shared_ptr<model::waiting_world> base;
  std::unique_ptr<mutex> m = std::make_unique<mutex>();
  model::plain<int> data{0};  // what the mutex protects: two at a time are a race
  strand a, b, c;
  int got[3] = {};
};
using shared = std::shared_ptr<world>;

void once(const shared& w, strand& s, int who) {
  w->m->lock(s);
  w->data = w->data + 1;
  ++w->got[who];
  w->m->unlock();
}

void free_and_unwatched(const shared& w) {
  model::check(w->m->word.load(std::memory_order_relaxed) == 0,
               "MUTEX-2: free, nobody waits, nobody on its way");
  model::check(w->m->waiters.empty(), "nobody is left in the queue");
}

template <std::int64_t Step>
void two(execution& x) {
  auto w = std::make_shared<world>(Step);
  x.thread("a", [=] { once(w, w->a, 0); });
  x.thread("b", [=] { once(w, w->b, 1); });
  x.finally([=] {
    model::check(w->data == 2, "MUTEX-1");
    free_and_unwatched(w);
  });
}

template <std::int64_t Step>
void three(execution& x) {
  auto w = std::make_shared<world>(Step);
  x.thread("a", [=] { once(w, w->a, 0); });
  x.thread("b", [=] { once(w, w->b, 1); });
  x.thread("c", [=] { once(w, w->c, 2); });
  x.finally([=] {
    model::check(w->data == 3, "MUTEX-1");
    free_and_unwatched(w);
  });
}

// One comes back at once and may overtake the one it woke.
void barging(execution& x) {
  auto w = std::make_shared<world>(0);
  x.thread("a", [=] {
    once(w, w->a, 0);
    once(w, w->a, 0);
  });
  x.thread("b", [=] { once(w, w->b, 1); });
  x.finally([=] {
    model::check(w->data == 3, "MUTEX-1");
    free_and_unwatched(w);
  });
}

// c takes the mutex in the moment it is free, past the one that was woken for it.
void past_the_woken(execution& x) {
  auto w = std::make_shared<world>(0);
  x.thread("a", [=] { once(w, w->a, 0); });
  x.thread("b", [=] { once(w, w->b, 1); });
  x.thread("c", [=] {
    if ((w->m->word.fetch_or(locked, std::memory_order_acquire) & locked) != 0) return;
    w->data = w->data + 1;
    w->m->unlock();
  });
  x.finally([=] { free_and_unwatched(w); });
}

// b gives up at any moment: what it was about to be given is not lost, nobody stays behind.
template <std::int64_t Step>
void gives_up(execution& x) {
  auto w = std::make_shared<world>(Step);
  x.thread("a", [=] { once(w, w->a, 0); });
  x.thread("b", [=] {
    if (!w->m->lock(w->b)) return;
    w->data = w->data + 1;
    ++w->got[1];
    w->m->unlock();
  });
  x.thread("timer", [=] { env::expire(w->b); });
  x.finally([=] {
    model::check(w->data == w->got[0] + w->got[1] && w->got[0] == 1, "MUTEX-1");
    free_and_unwatched(w);
  });
}

// b has given up when a unlocks, and is still in the queue: nothing of that unlock may come after the moment c can lock.
void gave_up_before(execution& x) {
  auto w = std::make_shared<world>(0);
  w->m->word.store(locked, std::memory_order_relaxed);  // by a
  x.thread("a", [=] {
    while (w->b.ticket.load(std::memory_order_acquire) == 0) model::sync::pause();
    env::expire(w->b);
    w->m->unlock();
    once(w, w->a, 0);
  });
  x.thread("b", [=] { model::check(!w->m->lock(w->b), "it was locked until time was over"); });
  x.thread("c", [=] {
    if ((w->m->word.fetch_or(locked, std::memory_order_acquire) & locked) != 0) return;
    w->data = w->data + 1;
    w->m->unlock();
  });
  x.finally([=] { free_and_unwatched(w); });
}

void gives_up_alone(execution& x) {
  auto w = std::make_shared<world>(0);
  w->m->word.store(locked, std::memory_order_relaxed);
  x.thread("b", [=] { model::check(!w->m->lock(w->b), "only time ends it"); });
  x.thread("timer", [=] {
    while (w->b.ticket.load(std::memory_order_acquire) == 0) model::sync::pause();
    env::expire(w->b);
  });
  x.finally([=] {
    model::check(w->m->word.load(std::memory_order_relaxed) == locked, "MUTEX-2: no bit without a list");
    model::check(w->m->waiters.empty(), "nobody is left in the queue");
  });
}

template <std::int64_t Step>
void one_of_two_gives_up(execution& x) {
  auto w = std::make_shared<world>(Step);
  x.thread("a", [=] { once(w, w->a, 0); });
  x.thread("b", [=] {
    if (!w->m->lock(w->b)) return;
    ++w->got[1];
    w->m->unlock();
  });
  x.thread("c", [=] { once(w, w->c, 2); });
  x.thread("timer", [=] { env::expire(w->b); });
  x.finally([=] { free_and_unwatched(w); });
}

// The last one destroys it right after its unlock; whoever still touched it then would race with
// that.
template <std::int64_t Step>
void last_destroys(execution& x) {
  auto w = std::make_shared<world>(Step);
  const auto leave = [w](strand& s) {
    mutex& m = *w->m;
    m.lock(s);
    w->data = w->data + 1;
    const bool last = w->data == 2;
    m.unlock();
    if (last) w->m.reset();
  };
  x.thread("a", [=] { leave(w->a); });
  x.thread("b", [=] { leave(w->b); });
}

void holds(const model::program& p, const model::options& o = {}) {
  const auto r = model::explore(o, p);
  CHECK_MESSAGE(r.ok(), r.report);
}
// Four threads have too many ways: a sample, the same every time.
void holds_in_sample(const model::program& p) {
  model::options sample;
  sample.random_executions = 20'000;
  holds(p, sample);
}
// Three: those with few switches all, the others by sample.
void holds_widely(const model::program& p) {
  model::options few;
  few.preemptions = 1;
  few.reorder_stores = false;
  few.spurious_failures = 0;
  holds(p, few);
  holds_in_sample(p);
}

}  // namespace

TEST_CASE("MUTEX-1, MUTEX-2: competing") {
  holds(two<0>);
  holds_widely(barging);
  holds_widely(past_the_woken);
  holds_widely(three<0>);
}

TEST_CASE("MUTEX-1, MUTEX-2, MUTEX-4: handing over") {
  holds(two<for_ever>);
  holds_widely(three<for_ever>);
}

TEST_CASE("MUTEX-2: a waiter gives up") {
  holds_widely(gives_up<0>);
  holds_widely(gives_up<for_ever>);
  holds(gives_up_alone);
  model::options few;
  few.preemptions = 2;
  few.reorder_stores = false;
  few.spurious_failures = 0;
  holds(gave_up_before, few);
  holds_in_sample(one_of_two_gives_up<0>);
  holds_in_sample(one_of_two_gives_up<for_ever>);
}

TEST_CASE("MUTEX-3: the last one may destroy it") {
  holds(last_destroys<0>);
  holds(last_destroys<for_ever>);
}

TEST_CASE("MUTEX: which orderings are needed") {
  model::options o;
  o.preemptions = 2;
  o.reorder_stores = false;
  o.spurious_failures = 0;
  const auto all = model::mutate(o, {two<0>, two<for_ever>, last_destroys<0>, past_the_woken},
                                 "/mutex_core.hpp");
  CHECK_MESSAGE(model::survivors(all).empty(), model::list(all));
}
