// SPDX-License-Identifier: BSL-1.0
// test/model/poll_model.cpp - net/poll_word.hpp: readiness against those who wait, and those who
// close. The kernel is a socket that knows how much is there, and an event that stays queued until
// a poller fetches it; both as the kernel has them, under locks: read-modify-writes. A lost wake is
// a deadlock.
#include "net/poll_word.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using detail::direction;
using detail::event_kind;
using detail::wait_offer;
using model::execution;

namespace {

using model::bounded;
using model::holds;

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;

using word = detail::basic_poll_word<model::sync>;
constexpr unsigned fin = 0x100;        // in `there`: the stream has ended
constexpr std::uint64_t first = 0x10;  // tickets: first + wake word

struct scene {
  word poll;
  model::atomic<unsigned> there{0};                    // bytes in the socket, and `fin`
  model::atomic<unsigned> event{0};                    // queued in the epoll
  model::atomic<unsigned> words[8]{};                  // one per park; rung by who won its wake
  model::plain<int> parks[8]{0, 0, 0, 0, 0, 0, 0, 0};  // what a waker must see of the parker
  model::atomic<std::uint64_t> extra_waiters[2]{};     // the list: a place per waiter
  model::plain<int> close_reason{0};                   // what the closer did before
};
using shared = std::shared_ptr<scene>;

// ---- the kernel and the poller
void arrive(const shared& s, unsigned what) {
  s->there.fetch_or(what, acq_rel);
  s->event.exchange(1, acq_rel);
}

void ring(const shared& s, std::uint64_t ticket) {
  if (ticket == word::empty) return;
  model::check(s->parks[ticket - first] == 1, "the ticket brings its park with it");
  s->words[ticket - first].store(1, release);
}

void wake_extra_waiters(const shared& s) {
  if (!s->poll.has_extra_waiters()) return;
  for (auto& place : s->extra_waiters) ring(s, place.exchange(word::empty, acq_rel));
}

// What one epoll_wait brings, if anything.
void fetch(const shared& s) {
  if (s->event.exchange(0, acq_rel) == 0) return;
  const bool ended = (s->there.fetch_or(0, acq_rel) & fin) != 0;
  s->poll.edge(ended ? event_kind::irregular : event_kind::regular);
  ring(s, s->poll.take(direction::read));
  wake_extra_waiters(s);
}

// ---- a reader

bool take_byte(const shared& s) {
  unsigned n = s->there.fetch_or(0, acq_rel);
  while ((n & ~fin) != 0) {
    // The lowest bit that is set: arrivals are told apart.
    const unsigned lowest = (n & ~fin) & (0u - (n & ~fin));
    if (s->there.compare_exchange_strong(n, n & ~lowest, acq_rel, acquire)) return true;
  }
  return false;
}

// False: closed.
bool wait(const shared& s, word::edge_count seen, unsigned word, unsigned place) {
  const std::uint64_t ticket = first + word;
  s->parks[word] = 1;
  wait_offer offer = s->poll.try_wait(direction::read, ticket, seen);
  const bool has_extra_waiters = offer == wait_offer::occupied;
  if (has_extra_waiters) {
    s->extra_waiters[place].store(ticket, release);
    offer = s->poll.join_extra_waiters(seen);
  }
  if (offer == wait_offer::accepted)
    while (s->words[word].load(acquire) == 0) model::sync::pause();
  if (has_extra_waiters) {
    s->poll.leave_extra_waiters();
    s->extra_waiters[place].exchange(word::empty, acq_rel);
  }
  if (!s->poll.is_closed()) return true;
  model::check(s->close_reason == 1, "POLL-2: the close comes before the failure it causes");
  return false;
}

void read_byte(const shared& s, unsigned word, unsigned place) {
  for (;; ++word) {
    const word::edge_count seen = s->poll.edges();
    if (take_byte(s)) return;
    if (!wait(s, seen, word, place)) return;
  }
}

// As tcp_stream::read_some in a loop, with room for all: a read that brings something was short.
// POLL-4.
void read_to_end(const shared& s) {
  word::edge_count drained = word::unknown;
  for (unsigned word = 0;; ++word) {
    const word::edge_count seen = s->poll.edges();
    if (drained != seen) {
      if (take_byte(s)) {
        while (take_byte(s)) {
        }
        drained = word::regular(seen) ? seen : word::unknown;
        continue;
      }
      if ((s->there.fetch_or(0, acq_rel) & fin) != 0) return;
    }
    if (!wait(s, seen, word, 0)) return;
    drained = word::unknown;
  }
}

// ---- scenarios
void one_reader(execution& x) {
  auto s = std::make_shared<scene>();
  x.thread("reader", [=] {
    read_byte(s, 0, 0);
    read_byte(s, 4, 0);
  });
  x.thread("poller", [=] {
    arrive(s, 1);
    fetch(s);
    arrive(s, 2);
    fetch(s);
  });
}

void two_pollers(execution& x) {
  auto s = std::make_shared<scene>();
  x.thread("reader", [=] {
    read_byte(s, 0, 0);
    read_byte(s, 4, 0);
  });
  x.thread("poller", [=] {
    arrive(s, 1);
    fetch(s);
  });
  x.thread("other", [=] {
    arrive(s, 2);
    fetch(s);
  });
}

void two_readers(execution& x) {
  auto s = std::make_shared<scene>();
  x.thread("reader", [=] { read_byte(s, 0, 0); });
  x.thread("second", [=] { read_byte(s, 4, 1); });
  x.thread("poller", [=] {
    arrive(s, 3);  // both in one event
    fetch(s);
  });
}

// The one in the slot gives up; the event is the other's.
void one_times_out(execution& x) {
  auto s = std::make_shared<scene>();
  x.thread("leaver", [=] {
    const auto seen = s->poll.edges();
    s->parks[0] = 1;
    if (s->poll.try_wait(direction::read, first, seen) == wait_offer::accepted)
      s->poll.withdraw(direction::read, first);
  });
  x.thread("reader", [=] { read_byte(s, 4, 1); });
  x.thread("poller", [=] {
    arrive(s, 1);
    fetch(s);
  });
}

void closed_under_readers(execution& x) {
  auto s = std::make_shared<scene>();
  x.thread("reader", [=] { read_byte(s, 0, 0); });
  x.thread("second", [=] { read_byte(s, 4, 1); });
  x.thread("closer", [=] {
    s->close_reason = 1;
    ring(s, s->poll.close(direction::read));
    ring(s, s->poll.close(direction::write));
    s->poll.edge(event_kind::irregular);
    wake_extra_waiters(s);
  });
}

void data_and_end(execution& x) {
  auto s = std::make_shared<scene>();
  x.thread("reader", [=] { read_to_end(s); });
  x.thread("peer", [=] {
    arrive(s, 1);
    arrive(s, fin);
    fetch(s);
  });
  x.thread("poller", [=] { fetch(s); });
}

}  // namespace

TEST_CASE("POLL-1: who parks is woken by any event after his call") {
  holds(one_reader);
  holds(two_pollers, bounded(3));
  holds(two_readers, bounded(2));
  holds(one_times_out, bounded(3));
}

TEST_CASE("POLL-2: after close nobody stays parked") { holds(closed_under_readers, bounded(2)); }

TEST_CASE("POLL-4: a short read proves emptiness, except at an end") {
  holds(data_and_end, bounded(3));
}

TEST_CASE("POLL: which orderings are needed") {
  const auto all = model::mutate(
      bounded(2), {one_reader, two_readers, one_times_out, closed_under_readers, data_and_end},
      "/poll_word.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
