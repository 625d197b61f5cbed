// SPDX-License-Identifier: BSL-1.0
// test/model/mutex_model.cpp - sync/mutex_core.hpp: exclusion, no waiter left behind, who may
// destroy it.
#include "sync/mutex_core.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/waiting_objects.hpp"

using namespace weft;
using model::agent;
using model::execution;
using env = model::waiting_env;

namespace {

using model::holds;
using model::holds_in_sample;
using model::holds_widely;
using model::with_switches;

constexpr std::uint32_t locked = 1, hurry = 32;
constexpr std::int64_t for_ever = 2 * detail::mutex_patience_ns;

struct mutex {
  model::atomic<std::uint32_t> word{0};
  env::wait_list waiters;

  bool lock(agent& s, env::limit l = {}) {
    const std::uint32_t before = word.fetch_or(locked, std::memory_order_acquire);
    if ((before & (locked | hurry)) == 0) return true;
    if ((before & locked) == 0) unlock();  // mutex_lock_politely
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
  agent a, b, c;
  int got[3] = {};
};
using shared = std::shared_ptr<world>;

void once(const shared& w, agent& s, int who) {
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

// b has given up when a unlocks, and is still in the queue: nothing of that unlock may come after
// the moment c can lock.
void gave_up_before(execution& x) {
  auto w = std::make_shared<world>(0);
  w->m->word.store(locked, std::memory_order_relaxed);  // by a
  x.thread("a", [=] {
    env::expire_once_it_waits(w->b);
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
  x.thread("timer", [=] { env::expire_once_it_waits(w->b); });
  x.finally([=] {
    model::check(w->m->word.load(std::memory_order_relaxed) == locked,
                 "MUTEX-2: no bit without a list");
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

// b is woken, or given the mutex, and never runs: somebody acts in its place [LEFT-1].
struct never_runs {};
struct left_behind_env : env {
  static detail::wait_end park(guard& g, waiter& w, const limit& l) {
    if (env::park(g, w, l) == detail::wait_end::ready) throw never_runs();
    return detail::wait_end::stopped;
  }
};
template <std::int64_t Step>
void is_left_behind(execution& x) {
  auto w = std::make_shared<world>(Step);
  w->m->word.store(locked, std::memory_order_relaxed);  // by a
  x.thread("a", [=] {
    while (w->b.ticket.load(std::memory_order_acquire) == 0) model::sync::pause();
    w->m->unlock();
  });
  x.thread("b", [=] {
    left_behind_env::waiter me(w->b);
    try {
      if (detail::lock_contended<left_behind_env>(*w->m, me, {})) w->m->unlock();
    } catch (const never_runs&) {
      detail::pass_on<env>(*w->m);
    }
  });
  x.thread("c", [=] { once(w, w->c, 2); });
  x.finally([=] {
    model::check(w->got[2] == 1, "LEFT-1: the next one has its turn");
    free_and_unwatched(w);
  });
}

// The last one destroys it right after its unlock; whoever still touched it then would race with
// that.
template <std::int64_t Step>
void last_destroys(execution& x) {
  auto w = std::make_shared<world>(Step);
  const auto leave = [w](agent& s) {
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
  holds(gave_up_before, with_switches(2));
  holds_in_sample(one_of_two_gives_up<0>);
  holds_in_sample(one_of_two_gives_up<for_ever>);
}

TEST_CASE("LEFT-1: what a waiter was woken for, or given, and never runs goes on") {
  holds_widely(is_left_behind<0>);
  holds_widely(is_left_behind<for_ever>);
}

TEST_CASE("MUTEX-3: the last one may destroy it") {
  holds(last_destroys<0>);
  holds(last_destroys<for_ever>);
}

TEST_CASE("MUTEX: which orderings are needed") {
  const auto all =
      model::mutate(with_switches(2), {two<0>, two<for_ever>, last_destroys<0>, past_the_woken},
                    "/mutex_core.hpp");
  CHECK_MESSAGE(model::survivors(all).empty(), model::list(all));
}
