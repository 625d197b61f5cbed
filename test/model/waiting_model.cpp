// SPDX-License-Identifier: BSL-1.0
// test/model/waiting_model.cpp - the other templates of src/sync: lists, counts, permits.
#include "sync/waiting.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/waiting_objects.hpp"
#include "sync/countdown_core.hpp"
#include "sync/event_core.hpp"
#include "sync/semaphore_core.hpp"

using namespace weft;
using detail::wait_end;
using model::agent;
using model::execution;
using env = model::waiting_env;

namespace {

using model::holds;
using model::holds_in_sample;
using model::holds_widely;
using model::with_switches;
using model::world;

// ---- WAIT, EVENT
// -----------------------------------------------------------------
struct flag {
  model::atomic<std::uint32_t> set{0};
  env::wait_list waiters;

  void raise() { detail::set_event<env>(this, set, waiters); }
  bool is_set() { return set.load(std::memory_order_acquire) != 0; }  // as event::is_set
  bool wait(agent& s) {
    if (is_set()) return true;
    env::waiter me(s);
    return detail::wait_for_event<env>(this, set, waiters, me, {}) == wait_end::ready;
  }
};

void waiter_destroys(execution& x) {
  auto w = std::make_shared<world<flag>>();
  x.thread("setter", [=] {
    flag& f = *w->object;
    w->data = 1;
    f.raise();
  });
  x.thread("waiter", [=] {
    model::check(w->object->wait(w->a), "nobody else ends it");
    model::check(w->data == 1, "EVENT-1");
    w->object.reset();
  });
}

void two_waiters_one_gives_up(execution& x) {
  auto w = std::make_shared<world<flag>>();
  x.thread("setter", [=] { w->object->raise(); });
  x.thread("a", [=] { w->got[0] = w->object->wait(w->a) ? 1 : 2; });
  x.thread("b", [=] { w->got[1] = w->object->wait(w->b) ? 1 : 2; });
  x.thread("timer", [=] { env::expire(w->a); });
  x.finally([=] {
    model::check(w->got[0] != 0 && w->got[1] == 1, "WAIT-1: all through, or given up");
    model::check(w->object->waiters.empty(), "nobody is left in the list");
  });
}

// Two waiters, and others are let in after the first: one gives up in the waker's own list, and the
// last of them to return destroys the flag.
void gives_up_in_the_gap(execution& x) {
  auto w = std::make_shared<world<flag>>();
  auto through = std::make_shared<model::atomic<std::uint32_t>>(0);
  const auto leave = [=] {
    if (through->fetch_add(1, std::memory_order_acq_rel) == 1) w->object.reset();
  };
  x.thread("setter", [=] {
    flag& f = *w->object;
    detail::set_event<model::gaps_env>(&f, f.set, f.waiters);
  });
  x.thread("a", [=] {
    model::check(w->object->wait(w->a), "nobody else ends it");
    env::expire(w->b);
    leave();
  });
  x.thread("b", [=] {
    w->object->wait(w->b);
    leave();
  });
}

// What must be caught, or these tests could not fail: a waiter that has not parked yet goes on as
// soon as it is claimed, and its frame is gone.
enum class mistake : std::uint8_t { claims_before_it_unlinks, tells_after_the_claim };
template <mistake M>
void frame_after_the_claim(execution& x) {
  auto w = std::make_shared<world<flag>>();
  x.thread("setter", [=] {
    flag& f = *w->object;
    env::wake_list out;
    const env::guard g(&f);
    f.set.store(1, std::memory_order_release);
    auto* const first = detail::front<env::waiter>(f.waiters);
    if (first == nullptr) return;
    if (M == mistake::tells_after_the_claim) detail::unlink(*first);
    if (!out.claim(*first)) return;
    if (M == mistake::claims_before_it_unlinks)
      detail::unlink(*first);
    else
      first->given = true;
  });
  x.thread("waiter", [=] { model::check(w->object->wait(w->a), "nobody else ends it"); });
}

// ---- COUNT
// ----------------------------------------------------------------------------------------
struct count {
  model::atomic<std::int64_t> state{4};  // two to go
  env::wait_list waiters;
  bool wait(agent& s) {
    if (state.load(std::memory_order_acquire) / 2 == 0) return true;
    env::waiter me(s);
    return detail::wait_for_zero<env>(*this, me, {}) == wait_end::ready;
  }
};

void count_to_zero(execution& x) {
  auto w = std::make_shared<world<count>>();
  auto more = std::make_shared<model::plain<int>>(0);
  x.thread("one", [=] {
    count& c = *w->object;
    w->data = 1;
    model::check(detail::take_from_count<env>(c, 1), "there was one");
  });
  x.thread("other", [=] {
    count& c = *w->object;
    *more = 1;
    model::check(detail::take_from_count<env>(c, 1), "there was one");
  });
  x.thread("waiter", [=] {
    model::check(w->object->wait(w->a), "nobody else ends it");
    model::check(w->data + *more == 2, "COUNT-2");
    w->object.reset();  // COUNT-1
  });
}

void one_counts_to_zero(execution& x) {
  auto w = std::make_shared<world<count>>();
  w->object->state.store(2, std::memory_order_relaxed);
  x.thread("one", [=] {
    count& c = *w->object;
    w->data = 1;
    model::check(detail::take_from_count<env>(c, 1), "there was one");
  });
  x.thread("waiter", [=] {
    model::check(w->object->wait(w->a), "nobody else ends it");
    model::check(w->data == 1, "COUNT-2");
    w->object.reset();  // COUNT-1
  });
}

// Who comes when all is done does not wait: it takes what came before from the count alone.
void late_for_the_count(execution& x) {
  auto w = std::make_shared<world<count>>();
  w->object->state.store(2, std::memory_order_relaxed);
  x.thread("one", [=] {
    w->data = 1;
    model::check(detail::take_from_count<env>(*w->object, 1), "there was one");
  });
  x.thread("waiter", [=] { model::check(w->object->wait(w->a), "nobody else ends it"); });
  x.thread("late", [=] {
    if (w->object->state.load(std::memory_order_acquire) / 2 == 0)
      model::check(w->data == 1, "COUNT-2");
  });
}

// The one that waits gives up while the last decrement is on its way to the guard: then who sees
// zero may destroy it, and the list is not touched any more.
void seen_and_destroyed(execution& x) {
  auto w = std::make_shared<world<count>>();
  w->object->state.store(2, std::memory_order_relaxed);
  auto gone = std::make_shared<model::atomic<std::uint32_t>>(0);
  x.thread("one", [=] { static_cast<void>(detail::take_from_count<env>(*w->object, 1)); });
  x.thread("waiter", [=] {
    static_cast<void>(w->object->wait(w->a));
    gone->store(1, std::memory_order_release);
  });
  x.thread("late", [=] {
    env::expire(w->a);
    while (gone->load(std::memory_order_acquire) == 0 ||
           w->object->state.load(std::memory_order_acquire) != 0)
      model::sync::pause();
    w->object.reset();  // COUNT-1
  });
}

void count_given_up(execution& x) {
  auto w = std::make_shared<world<count>>();
  w->object->state.store(2, std::memory_order_relaxed);
  x.thread("done", [=] { static_cast<void>(detail::take_from_count<env>(*w->object, 1)); });
  x.thread("a", [=] { w->got[0] = w->object->wait(w->a) ? 1 : 2; });
  x.thread("b", [=] { w->got[1] = w->object->wait(w->b) ? 1 : 2; });
  x.thread("timer", [=] { env::expire(w->a); });
  x.finally([=] {
    model::check(w->got[0] != 0 && w->got[1] == 1, "COUNT-1: all through, or given up");
    model::check(w->object->state.load(std::memory_order_relaxed) == 0,
                 "COUNT-1: no bit without a list");
  });
}

// ---- SEM
// ------------------------------------------------------------------------------------------
struct semaphore {
  model::atomic<std::int64_t> word{0};
  env::wait_list waiters;
  bool acquire(agent& s) {
    std::int64_t w = word.load(std::memory_order_relaxed);
    while (w >= 2)
      if (word.compare_exchange_weak(w, w - 2, std::memory_order_acquire,
                                     std::memory_order_relaxed))
        return true;
    env::waiter me(s);
    return detail::acquire_permit<env>(*this, me, {}) == wait_end::ready;
  }
  void release(std::int64_t n) {
    std::int64_t w = word.load(std::memory_order_relaxed);
    while ((w & 1) == 0)
      if (word.compare_exchange_weak(w, w + 2 * n, std::memory_order_release,
                                     std::memory_order_relaxed))
        return;
    detail::release_permits<env>(*this, n);
  }
};

void permit_destroys(execution& x) {
  auto w = std::make_shared<world<semaphore>>();
  x.thread("release", [=] {
    semaphore& s = *w->object;
    w->data = 1;
    s.release(1);
  });
  x.thread("acquire", [=] {
    w->object->acquire(w->a);
    model::check(w->data == 1, "SEM-1");
    w->object.reset();
  });
}

// Two permits, one of them for whoever waits, the other for whoever comes by.
void permit_for_a_late_one(execution& x) {
  auto w = std::make_shared<world<semaphore>>();
  x.thread("release", [=] {
    w->data = 1;
    w->object->release(2);
  });
  x.thread("acquire", [=] { model::check(w->object->acquire(w->a), "nobody else ends it"); });
  x.thread("late", [=] {
    std::int64_t n = w->object->word.load(std::memory_order_relaxed);
    if (n < 2 || !w->object->word.compare_exchange_strong(n, n - 2, std::memory_order_acquire,
                                                          std::memory_order_relaxed))
      return;
    model::check(w->data == 1, "SEM-1");
  });
}

// Two permits, two who want one; one of them may give up, then its permit stays.
void permits_are_kept(execution& x) {
  auto w = std::make_shared<world<semaphore>>();
  x.thread("release", [=] { w->object->release(2); });
  x.thread("a", [=] { w->got[0] = w->object->acquire(w->a) ? 1 : 0; });
  x.thread("b", [=] { w->got[1] = w->object->acquire(w->b) ? 1 : 0; });
  x.thread("timer", [=] { env::expire(w->a); });
  x.finally([=] {
    model::check(w->got[1] == 1, "SEM-3: who does not give up gets one");
    model::check(w->object->word.load(std::memory_order_relaxed) == 2 * (1 - w->got[0]),
                 "SEM-3: none lost");
  });
}

std::int64_t word_of(count& c) { return c.state.load(std::memory_order_relaxed); }
std::int64_t word_of(semaphore& s) { return s.word.load(std::memory_order_relaxed); }

// Permits for two, of whom the second is left behind, before the release or when the first has its
// own: the first is alone then, and may destroy the semaphore.
enum class left : std::uint8_t { before, during };
enum class order : std::uint8_t { claims_first, writes_first };
void write_first(semaphore& s) {  // what release_permits was: for two permits
  env::wake_list out;
  env::wait_list lucky;
  env::guard g(&s);
  std::int64_t n = 2;
  for (; n > 0; --n) {
    auto* const w = detail::pop_front<env::waiter>(s.waiters);
    if (w == nullptr) break;
    w->may_go.store(true, std::memory_order_relaxed);
    detail::push_back(lucky, *w);
  }
  s.word.store(n * 2, std::memory_order_release);
  while (auto* const w = detail::pop_front<env::waiter>(lucky))
    if (!out.claim(*w)) s.word.fetch_add(2, std::memory_order_release);
}
template <left Left, order Order>
void one_is_left_behind(execution& x) {
  auto w = std::make_shared<world<semaphore>>();
  auto ended = std::make_shared<model::atomic<std::uint32_t>>(0);
  const auto end = [=] {
    if (env::leave_behind(w->b)) ended->store(1, std::memory_order_relaxed);
  };
  x.thread("release", [=] {
    semaphore& s = *w->object;
    while (w->b.ticket.load(std::memory_order_acquire) == 0) model::sync::pause();
    if (Left == left::before) end();
    Order == order::claims_first ? s.release(2) : write_first(s);
  });
  x.thread("acquire", [=] {
    model::check(w->object->acquire(w->a), "nobody else ends it");
    if (Left == left::during) end();
    if (ended->load(std::memory_order_relaxed) == 0) return;
    model::check(word_of(*w->object) == 2, "SEM-3: its permit is free");
    w->object.reset();
  });
  x.daemon("left behind", [p = w.get()] {
    while (p->a.ticket.load(std::memory_order_acquire) == 0) model::sync::pause();
    p->object->acquire(p->b);
  });
}

// Nobody comes but time: whoever gives up alone leaves the object as it found it.
template <class Object, class Wait>
void given_up_alone(execution& x, Wait wait, std::int64_t word_then) {
  auto w = std::make_shared<world<Object>>();
  x.thread("a", [=] { model::check(!wait(*w->object, w->a), "only time ends it"); });
  x.thread("timer", [=] { env::expire_once_it_waits(w->a); });
  x.finally([=] {
    model::check(w->object->waiters.empty(), "nobody is left in the list");
    model::check(word_of(*w->object) == word_then, "no bit without a list");
  });
}

}  // namespace

TEST_CASE("WAIT-1, WAIT-2, WAIT-3, EVENT: through or given up; the waiter may destroy it") {
  holds(waiter_destroys);
  holds_in_sample(two_waiters_one_gives_up);
  holds(gives_up_in_the_gap, with_switches(1));
}

TEST_CASE("WAIT-1, WAIT-3: a claimed waiter's frame is not touched") {
  using model::verdict;
  const model::options few = with_switches(1);
  CHECK(model::explore(few, frame_after_the_claim<mistake::claims_before_it_unlinks>).end ==
        verdict::raced);
  CHECK(model::explore(few, frame_after_the_claim<mistake::tells_after_the_claim>).end ==
        verdict::raced);
}

TEST_CASE("COUNT: the waiter may destroy it; the bit goes with the list") {
  holds_widely(count_to_zero);
  holds(seen_and_destroyed, with_switches(1));
  holds_in_sample(count_given_up);
  holds([](execution& x) {
    given_up_alone<count>(x, [](count& c, agent& s) { return c.wait(s); }, 4);
  });
}

TEST_CASE("SEM: permits are kept; who acquired may destroy it") {
  holds(permit_destroys);
  holds_in_sample(permits_are_kept);
  holds([](execution& x) {
    given_up_alone<semaphore>(x, [](semaphore& c, agent& s) { return c.acquire(s); }, 0);
  });
}

TEST_CASE("WAIT-4: who was let through may destroy it when the others are left behind") {
  holds(one_is_left_behind<left::before, order::claims_first>, with_switches(2));
  holds(one_is_left_behind<left::during, order::claims_first>, with_switches(2));
  using wrong = model::program;
  for (const wrong& p : {wrong(one_is_left_behind<left::before, order::writes_first>),
                         wrong(one_is_left_behind<left::during, order::writes_first>)})
    CHECK(!model::explore(with_switches(2), p).ok());
}

TEST_CASE("EVENT, COUNT, SEM: which orderings are needed") {
  const model::options few = with_switches(1);
  const auto events = model::mutate(few, {waiter_destroys}, "/event_core.hpp");
  CHECK_MESSAGE(model::survivors(events).empty(), model::list(events));
  const auto counts =
      model::mutate(few, {one_counts_to_zero, late_for_the_count}, "/countdown_core.hpp");
  CHECK_MESSAGE(model::survivors(counts).empty(), model::list(counts));
  const auto permits =
      model::mutate(few, {permit_destroys, permit_for_a_late_one}, "/semaphore_core.hpp");
  CHECK_MESSAGE(model::survivors(permits).empty(), model::list(permits));
  const auto held = model::mutate(few, {permit_destroys}, "/waiting.hpp");
  CHECK_MESSAGE(model::survivors(held).empty(), model::list(held));
  CHECK(held.size() == 2);  // WAIT-4
}
