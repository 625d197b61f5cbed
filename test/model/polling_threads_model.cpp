// SPDX-License-Identifier: BSL-1.0
// test/model/polling_threads_model.cpp - net/polling_threads.hpp: plain threads in poll(2) against
// who closes their socket. The kernel is the eventfd's count. Nothing else wakes: a thread that
// nobody tells is a deadlock.
#include "net/polling_threads.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::bounded;
using model::execution;
using model::holds;

namespace {

constexpr auto seq_cst = std::memory_order_seq_cst;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

struct socket {
  model::atomic<std::uint32_t> closing{0};
};
// Its thread's: who writes to it when that has left is in a race.
struct event {
  void announce() {
    open = open + 1;
    count.store(1, release);
  }
  model::plain<int> open{1};
  model::atomic<std::uint32_t> count{0};
};
using threads = detail::basic_polling_threads<model::sync, model::spin_lock, socket, event>;

struct world {
  threads polling;
  socket sockets[2];
};
using shared = std::shared_ptr<world>;

enum class mistake : std::uint8_t { none, looks_first, tells_first };

// As wait_on_thread, until the close.
void wait(const shared& w, socket& s, mistake m = mistake::none) {
  event mine;
  threads::thread me;
  const bool closed_before = m == mistake::looks_first && s.closing.load(seq_cst) != 0;
  w->polling.enter(me, s, mine);
  const bool closed = m == mistake::looks_first ? closed_before : s.closing.load(seq_cst) != 0;
  while (!closed && mine.count.load(acquire) == 0) model::sync::pause();
  w->polling.leave(me);
}
void close(const shared& w, socket& s, mistake m = mistake::none) {
  if (m == mistake::tells_first) w->polling.tell(s);
  s.closing.fetch_or(1, seq_cst);
  if (m != mistake::tells_first) w->polling.tell(s);
}

template <mistake Thread = mistake::none, mistake Closer = mistake::none>
void one_thread(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("thread", [=] { wait(w, w->sockets[0], Thread); });
  x.thread("closer", [=] { close(w, w->sockets[0], Closer); });
}

// Each is told of its own socket's close; one leaves while the other is told.
void two_sockets(execution& x) {
  auto w = std::make_shared<world>();
  for (socket& s : w->sockets) x.thread("thread", [w, &s] { wait(w, s); });
  x.thread("closer", [=] {
    close(w, w->sockets[0]);
    close(w, w->sockets[1]);
  });
}

}  // namespace

TEST_CASE("POLL-7: a close ends the wait of a thread in poll(2)") {
  holds(one_thread<>);
  holds(two_sockets, bounded(1));
}

TEST_CASE("POLL-7: both look after they have told") {
  CHECK(model::explore({}, one_thread<mistake::looks_first>).end == model::verdict::deadlocked);
  CHECK(model::explore({}, one_thread<mistake::none, mistake::tells_first>).end ==
        model::verdict::deadlocked);
}

TEST_CASE("POLL-7: which orderings are needed") {
  const auto all = model::mutate(bounded(2), {one_thread<>}, "/polling_threads.hpp");
  CHECK_MESSAGE(model::survivors(all).empty(), model::list(all));
}
