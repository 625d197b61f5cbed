// SPDX-License-Identifier: BSL-1.0
// test/model/short_acceptors_model.cpp - net/short_acceptors.hpp over net/poll_word.hpp: acceptors
// that find no descriptor against those who close one. The kernel is the process's table of
// descriptors under its lock, which accept(2) and close(2) take. No pause ends by the clock: an
// acceptor that nobody wakes is a deadlock.
#include "net/short_acceptors.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"
#include "net/poll_word.hpp"

using namespace weft;
using detail::direction;
using detail::event_kind;
using detail::wait_offer;
using model::bounded;
using model::execution;
using model::holds;

namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

using poll_word = detail::basic_poll_word<model::sync>;
struct listener {
  poll_word poll;
  model::atomic<unsigned> woken[2]{};  // by the ticket: one per park
};
using acceptors = detail::basic_short_acceptors<model::sync, model::spin_lock, listener>;

struct world {
  acceptors short_ones;
  listener listeners[2];
  model::spin_lock kernel;
  model::plain<int> free{0};  // numbers; under the kernel's lock
};
using shared = std::shared_ptr<world>;
constexpr std::uint64_t first_ticket = 2;  // a poll_word's is never 0 or 1

bool accept(const shared& w) {
  const std::lock_guard guard(w->kernel);
  if (w->free == 0) return false;
  w->free = w->free - 1;
  return true;
}
void close(const shared& w) {
  const std::lock_guard guard(w->kernel);
  w->free = w->free + 1;
}

// As netpoller's deliver.
void deliver(listener& l) {
  l.poll.edge(event_kind::regular);
  if (const std::uint64_t t = l.poll.take(direction::read); t != poll_word::empty)
    l.woken[t - first_ticket].store(1, release);
}
void pause(listener& l, poll_word::edge_count seen, unsigned park) {
  if (l.poll.try_wait(direction::read, first_ticket + park, seen) != wait_offer::accepted) return;
  while (l.woken[park].load(acquire) == 0) model::sync::pause();
}

enum class looks_again { yes, no };

// As accept_connection. Edges may come for other reasons, too; here each is of a close, so it
// pauses twice at most.
void take_connection(const shared& w, listener& l, looks_again again = looks_again::yes) {
  acceptors::acceptor me;
  bool in_list = false;
  for (unsigned park = 0;;) {
    const poll_word::edge_count seen = l.poll.edges();
    if (accept(w)) break;
    if (in_list) {
      model::check(park < 2, "an edge is of a close");
      pause(l, seen, park++);
    } else {
      w->short_ones.enter(me, l);
      in_list = true;
      if (again == looks_again::no) pause(l, seen, park++);
    }
  }
  if (in_list) w->short_ones.leave(me);
}
void close_one(const shared& w) {
  close(w);
  if (w->short_ones.any()) w->short_ones.tell(deliver);
}

void one_acceptor(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("acceptor", [=] { take_connection(w, w->listeners[0]); });
  x.thread("closer", [=] { close_one(w); });
}

// One closes what the other takes; then the other way round.
void two_listeners(execution& x) {
  auto w = std::make_shared<world>();
  for (listener& l : w->listeners)
    x.thread("acceptor", [w, &l] {
      take_connection(w, l);
      close_one(w);
    });
  x.thread("closer", [=] { close_one(w); });
}

// Another process, or other code, takes what was closed: the next close is heard, too.
void taken_by_another(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("acceptor", [=] { take_connection(w, w->listeners[0]); });
  x.thread("closer", [=] {
    close_one(w);
    const bool gone = accept(w);
    if (gone) close_one(w);
  });
}

// The mistakes that the order of steps prevents.
void does_not_look_again(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("acceptor", [=] { take_connection(w, w->listeners[0], looks_again::no); });
  x.thread("closer", [=] { close_one(w); });
}
void looks_before_the_close(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("acceptor", [=] { take_connection(w, w->listeners[0]); });
  x.thread("closer", [=] {
    const bool any = w->short_ones.any();
    close(w);
    if (any) w->short_ones.tell(deliver);
  });
}

}  // namespace

TEST_CASE("ACCEPT-1: an acceptor short of descriptors is woken when one is closed") {
  holds(one_acceptor);
  holds(taken_by_another, bounded(3));
  holds(two_listeners, bounded(1));
}

TEST_CASE("ACCEPT-1: both look after they have told") {
  CHECK(model::explore({}, does_not_look_again).end == model::verdict::deadlocked);
  CHECK(model::explore({}, looks_before_the_close).end == model::verdict::deadlocked);
}

TEST_CASE("ACCEPT-1: which orderings are needed") {
  // None of its own: the kernel's lock orders the count.
  const auto all =
      model::mutate(bounded(2), {one_acceptor, taken_by_another}, "/short_acceptors.hpp");
  CHECK_MESSAGE(all.empty(), model::list(all));
}
