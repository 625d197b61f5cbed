// SPDX-License-Identifier: BSL-1.0
// test/model/poller_model.cpp - net/poller_core.hpp: interrupts against waits, and the end of a
// poller against records that come to it. The eventfd is as the kernel has it, under a lock:
// read-modify-writes. A lost interrupt is a deadlock.
#include "net/poller_core.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;

struct model_event {
  model::atomic<unsigned> readable{0};
  void announce() { readable.exchange(1, acq_rel); }
  void empty() { readable.exchange(0, acq_rel); }
  void wait() {
    while (readable.fetch_or(0, acq_rel) == 0) model::sync::pause();
  }
};

// ---- POLL-3
struct waits {
  detail::basic_interrupts<model::sync, model_event> interrupts;
  model_event event;
  model::spin_lock one_waits;
  model::atomic<unsigned> told{0};  // by interrupters, before
};
using shared_waits = std::shared_ptr<waits>;

void interrupt(const shared_waits& s, unsigned bit) {
  s->told.fetch_or(bit, relaxed);
  s->interrupts.interrupt(s->event);
}
unsigned wait(const shared_waits& s) {
  s->one_waits.lock();
  s->event.wait();
  s->interrupts.accept(s->event);
  s->one_waits.unlock();
  return s->told.load(relaxed);
}

void two_interrupts_one_waiter(execution& x) {
  auto s = std::make_shared<waits>();
  x.thread("interrupter", [=] { interrupt(s, 1); });
  x.thread("second", [=] { interrupt(s, 2); });
  x.thread("waiter", [=] {
    model::check(wait(s) != 0, "POLL-3: a wait that has ended sees what it was ended for");
    model::check(wait(s) == 3, "POLL-3: and all of it after the last");
  });
  x.finally([=] {
    model::check(s->event.readable.load(relaxed) == 0, "POLL-3: no wait ends for nothing");
  });
}

void two_waiters(execution& x) {
  auto s = std::make_shared<waits>();
  x.thread("interrupter", [=] {
    interrupt(s, 1);
    interrupt(s, 2);
  });
  x.thread("waiter", [=] { static_cast<void>(wait(s)); });
  x.thread("second", [=] { static_cast<void>(wait(s)); });
  x.finally([=] {
    model::check(s->event.readable.load(relaxed) == 0, "POLL-3: no wait ends for nothing");
  });
}

// What accept prevents by its order: an interrupt between the count and the emptying is lost.
void emptied_after_the_count(execution& x) {
  struct scene {
    model::atomic<unsigned> requests{0};
    model_event event;
  };
  auto s = std::make_shared<scene>();
  const auto interrupt_once = [=] {
    if (s->requests.fetch_add(1, acq_rel) == 0) s->event.announce();
  };
  x.thread("interrupter", interrupt_once);
  x.thread("second", interrupt_once);
  x.thread("waiter", [=] {
    for (int i = 0; i < 2; ++i) {
      s->event.wait();
      const bool more = s->requests.fetch_sub(1, acq_rel) > 1;
      s->event.empty();
      if (more) s->event.announce();
    }
  });
}

// ---- POLL-5
struct poller {};
struct ending {
  detail::basic_poller_end<model::sync> end;
  poller it;
  model::atomic<const poller*> owner{nullptr};
  model::spin_lock record;
  model::plain<int> registered{0};  // with the kernel; under the record's lock
};
using shared_ending = std::shared_ptr<ending>;

// netpoller::add, under the record's lock
bool add(const shared_ending& s) {
  s->record.lock();
  const bool taken = s->end.own(s->owner, static_cast<const poller*>(&s->it));
  if (taken)
    s->registered = 1;
  else
    s->owner.store(nullptr, release);
  s->record.unlock();
  return taken;
}
void let_go(const shared_ending& s) {
  if (!s->end.begin()) return;
  if (!s->end.may_own(s->owner, &s->it)) return;
  s->record.lock();
  if (s->owner.load(relaxed) == &s->it) {
    s->registered = 0;
    s->owner.store(nullptr, release);
  }
  s->record.unlock();
}

void ends_while_one_comes(execution& x) {
  auto s = std::make_shared<ending>();
  x.thread("comes", [=] { static_cast<void>(add(s)); });
  x.thread("ends", [=] { let_go(s); });
  x.finally([=] {
    model::check(s->owner.load(relaxed) == nullptr && s->registered == 0,
                 "POLL-5: a poller that has ended has no record");
  });
}

void ends_twice(execution& x) {
  auto s = std::make_shared<ending>();
  x.thread("comes", [=] {
    if (add(s)) return;
    model::check(!add(s), "POLL-5: an end is for good");
  });
  x.thread("ends", [=] { let_go(s); });
  x.thread("again", [=] { let_go(s); });
}

}  // namespace

TEST_CASE("POLL-3: every interrupt ends one wait") {
  holds(two_interrupts_one_waiter);
  holds(two_waiters, model::switches);
}

TEST_CASE("POLL-3: the eventfd is emptied before the count") {
  CHECK(model::explore({}, emptied_after_the_count).end == model::verdict::deadlocked);
}

TEST_CASE("POLL-5: a poller that ends has no record left") {
  holds(ends_while_one_comes);
  holds(ends_twice, model::switches);
}

TEST_CASE("POLL-3, POLL-5: which orderings are needed") {
  const auto all = model::mutate(
      model::at_most(3), {two_interrupts_one_waiter, two_waiters, ends_while_one_comes, ends_twice},
      "/poller_core.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
