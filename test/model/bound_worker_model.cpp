// SPDX-License-Identifier: BSL-1.0
// test/model/bound_worker_model.cpp - the lists of sched/sleepers.hpp over sched/idle_state.hpp:
// workers lie down, in the poller or parked, and are woken with a processor: for work (wake_one),
// for a fiber that is bound to their thread (send_to_bound_worker), or by the monitor, which
// reserves sleepers and puts them back (spares::reserve, sleepers::release). What the idle lock
// guards is one word, which is the lock, too: who has locked it has read it. Each worker function
// here is named after the one it repeats; `mistake` leaves one step of one of them out.
#include <doctest/doctest.h>

#include <utility>

#include "model/hand_off_world.hpp"
#include "model/holds.hpp"

using namespace weft;
using namespace weft::model_hand_off;
using namespace weft::detail;
using model::execution;

namespace {

using model::bounded;
using weft::model_hand_off::index;  // there is a function of that name, too

template <class Sync>
struct worker {
  scene<Sync>& s;
  const index me;
  index held = nobody;
  bool searching = false;

  [[nodiscard]] bool own() const { return s.own && me == bound_to; }
  void lie_down(lists& l) const {
    if (own())
      l.own_asleep = true;
    else
      l.parked |= 1U << me;
  }
  void get_up(lists& l) const {
    l.parked &= ~(1U << me);
    if (me == bound_to) l.own_asleep = false;
  }

  void visit() {
    s.visits[held] = s.visits[held] + 1;
    model::check(s.workers[me].assigned.load(relaxed) == 0,
                 "SLEEP-1: nothing is assigned to who is awake");
  }
  bool take_assigned(lists& l) {
    const unsigned p = s.workers[me].assigned.load(acquire);
    if (p == 0) return false;
    s.workers[me].assigned.store(0, relaxed);
    l.reserved &= ~(1U << me);
    searching = true;
    held = p - 1;
    return true;
  }
  void take_idle(lists& l, bool search) {
    get_up(l);
    held = take_lowest(l.idle);
    searching = search;
  }
  void stop_searching() {
    if (!std::exchange(searching, false)) return;
    if (s.gate.end_search() != search_duty::wake_another) return;
    Sync::heavy_fence();
    if (s.work_in_sight()) s.wake_one_if_needed();
  }

  void retire() {
    const bool searched = std::exchange(searching, false);
    lists l = s.lock();
    l.idle |= 1U << std::exchange(held, nobody);
    lie_down(l);
    s.unlock(l);
    s.gate.retire(searched);
    if (own()) {
      if (s.wrong != mistake::own_leaves_silently && s.work_in_sight()) s.wake_one_if_needed();
    } else if (s.work_in_sight() && s.gate.try_unretire()) {
      l = s.lock();
      const bool mine = s.workers[me].assigned.load(acquire) == 0 && !(l.reserved >> me & 1);
      if (mine || s.wrong == mistake::blind_second_look) {
        take_idle(l, true);
        s.unlock(l);
        return;
      }
      s.gate.undo_claim_wake();
      s.unlock(l);
    }
    sleep();
  }

  void sleep() {
    for (;;) {
      bool poll = false;
      unsigned left = 0;
      lists l = s.lock();
      const bool reserved = l.reserved >> me & 1;
      if (take_assigned(l)) return s.unlock(l);
      if (!reserved && !own() && s.work_in_sight() && s.gate.try_unretire()) {
        take_idle(l, true);
        return s.unlock(l);
      }
      if (me == bound_to && l.bound_queue != 0 && !reserved &&
          s.wrong != mistake::bound_queue_not_checked) {
        if (s.gate.try_claim_idle()) {
          take_idle(l, false);
          return s.unlock(l);
        }
        left = std::exchange(l.bound_queue, 0);
        s.resched_requested.store(0, relaxed);
      }
      if (reserved) {
      } else if (own()) {
        lie_down(l);
      } else if (l.in_poller == nobody) {
        l.in_poller = me;
        l.parked &= ~(1U << me);
        poll = true;
      } else {
        l.parked |= 1U << me;
      }
      s.unlock(l);
      for (; left > 0; --left) {
        s.bound.fetch_add(1, release);
        s.wake_one_if_needed();
      }
      if (poll) {
        if (sleep_in_poller()) return;
      } else {
        s.workers[me].parker.park();
      }
    }
  }

  bool sleep_in_poller() {
    while (s.interrupts.exchange(0, acq_rel) == 0) s.interrupts.futex_wait(0);
    lists l = s.lock();
    if (l.in_poller == me) l.in_poller = nobody;  // else a mistake's doing
    const bool claimed = take_assigned(l);
    s.unlock(l);
    return claimed;
  }

  // `to` is another worker; its fiber comes with our processor, or waits in its bound queue.
  void send_to_bound_worker(index to) {
    lists l = s.lock();
    ++l.bound_queue;
    s.resched_requested.store(1, release);
    const bool polls =
        l.in_poller == to && (s.wakeable_in_poller(l) || s.wrong == mistake::poller_woken_twice);
    if (!(l.parked >> to & 1) && !l.own_asleep && !polls) return s.unlock(l);
    l.parked &= ~(1U << to);
    l.own_asleep = false;
    s.workers[to].assigned.store(std::exchange(held, nobody) + 1, release);
    if (s.wrong != mistake::not_counted) s.gate.begin_search_for_sleeper();
    s.unlock(l);
    if (polls)
      s.interrupt();
    else
      s.kick(to);
  }

  bool take_bound() {
    if (me != bound_to || s.resched_requested.load(acquire) == 0) return false;
    lists l = s.lock();
    const bool any = l.bound_queue != 0;
    if (any) --l.bound_queue;
    s.resched_requested.store(l.bound_queue != 0, relaxed);
    s.unlock(l);
    return any;
  }

  void loop() {
    for (;;) {
      if (held == nobody) sleep();
      visit();
      if (take_bound() || (me == bound_to && !own() && take(s.bound))) {
        stop_searching();
        s.ran_bound.fetch_add(1, relaxed);
      } else if (own()) {
        retire();
      } else if (me != bound_to && take(s.bound)) {
        stop_searching();
        send_to_bound_worker(bound_to);
      } else if (take(s.unbound)) {
        stop_searching();
        s.ran.fetch_add(1, relaxed);
      } else {
        retire();
      }
    }
  }
};

struct setting {
  std::uint32_t workers, processors;
  bool others_asleep;  // all but the first: the second in the poller, or parked behind it
  unsigned bound, unbound;
  enum { none, parked, in_poller } monitor;  // reserves such a sleeper and puts it back
  bool own = false;                          // the bound fibers have their thread to themselves
};

template <class Sync>
model::program scenario(setting with, mistake wrong = mistake::none) {
  return [=](execution& x) {
    auto s = std::make_shared<scene<Sync>>();
    s->wrong = wrong;
    s->own = with.own;
    const std::uint32_t busy = with.others_asleep ? 1 : with.processors;
    lists l;
    for (index p = busy; p < with.processors; ++p) {
      l.idle |= 1U << p;
      s->gate.retire(false);
    }
    s->guarded.store(l.pack(), relaxed);
    s->bound.store(with.bound, relaxed);
    for (index i = 0; i < with.workers; ++i)
      x.daemon("worker " + std::to_string(i),
               [=] { worker<Sync>{*s, i, i < busy ? i : nobody, false}.loop(); });
    if (with.unbound > 0)
      x.thread("submitter", [=] {
        for (unsigned i = 0; i < with.unbound; ++i) {
          s->unbound.fetch_add(1, release);
          s->wake_one_if_needed();
        }
      });
    if (with.monitor != setting::none)
      x.thread("monitor", [=] {
        lists m = s->lock();
        const bool polls = with.monitor == setting::in_poller;
        if (polls ? !s->wakeable_in_poller(m) : m.parked == 0) return s->unlock(m);
        const index spare = polls ? m.in_poller : take_lowest(m.parked);
        m.reserved |= 1U << spare;
        s->unlock(m);
        if (polls) s->interrupt();
        m = s->lock();  // sleepers::release
        m.reserved &= ~(1U << spare);
        const bool leaves = m.in_poller == spare && wrong != mistake::put_back_twice;
        if (!leaves) m.parked |= 1U << spare;
        const bool wanted =
            leaves ? false : m.in_poller == nobody || (spare == bound_to && m.bound_queue != 0);
        s->unlock(m);
        if (wanted && wrong != mistake::put_back_silently) s->kick(spare);
        // What it could not be woken for: watch_idle, in the same round.
        if (s->gate.searching() == 0 && s->work_in_sight()) s->wake_one_if_needed();
      });
    x.finally([=] {
      const lists end = lists::of(s->guarded.load(relaxed));
      model::check(s->ran_bound.load(relaxed) == with.bound, "SLEEP-3: every bound fiber ran");
      model::check(end.bound_queue == 0, "SLEEP-3: nobody sleeps over its bound_queue");
      model::check(s->ran.load(relaxed) == with.unbound, "IDLE-1: every other fiber ran");
      model::check(end.idle == (1U << with.processors) - 1,
                   "SLEEP-1: every processor is with the idle ones");
      model::check(s->gate.idle() == with.processors, "IDLE-2: and counted so");
      model::check(s->gate.searching() == 0, "IDLE-2: nobody is counted as searching");
      model::check(end.in_poller != nobody, "SLEEP-2: somebody waits in the poller");
    });
  };
}

void holds(setting with, const model::options& o) {
  const auto r = model::explore(o, scenario<model::sync>(with));
  CHECK_MESSAGE(r.ok(), r.report);
  if (r.ok()) MESSAGE(r.report);
}

// For what is too large to be explored.
model::options walks() {
  model::options o;
  o.random_executions = 20'000;
  return o;
}

bool caught(setting with, mistake wrong) {
  const auto r = model::explore(walks(), scenario<model::sync>(with, wrong));
  MESSAGE(r.report.substr(0, r.report.find('\n')));
  return !r.ok() && r.end != model::verdict::unfinished;
}

constexpr setting handed{2, 1, true, 1, 0, setting::none};  // to a sleeper
// the same, while others submit
constexpr setting one_processor{2, 1, true, 1, 1, setting::none};
// its thread is about to lie down
constexpr setting lying_down{2, 2, false, 1, 0, setting::none};
constexpr setting lying_down_beside_work{2, 2, false, 2, 1, setting::none};
// a sleeper may be woken for work and for its fiber at once
constexpr setting two_processors{2, 2, true, 1, 2, setting::none};
// one in the poller, one parked
constexpr setting three{3, 1, true, 1, 1, setting::none};
// the monitor has plans for a sleeper
constexpr setting reserved{3, 2, true, 1, 0, setting::parked};

constexpr setting reserved_in_poller{3, 2, true, 1, 1, setting::in_poller};
constexpr setting own_asleep{2, 1, true, 1, 1, setting::none, true};
// it holds a processor, and work waits behind it
constexpr setting own_lies_down{3, 2, false, 1, 1, setting::none, true};
constexpr setting own_beside_monitor{3, 2, true, 1, 1, setting::parked, true};

}  // namespace

TEST_CASE("SLEEP-3 SLEEP-1: a processor goes to the sleeper its fiber is bound to") {
  holds(handed, bounded(1));
  holds(one_processor, walks());
  holds(two_processors, walks());
  holds(three, walks());
}

TEST_CASE("SLEEP-3: a fiber is posted while its thread lies down") {
  holds(lying_down, bounded(2));
  holds(lying_down_beside_work, walks());
}

TEST_CASE("RETAKE-3: a sleeper is reserved meanwhile, and put back") {
  holds(reserved, walks());
  holds(reserved_in_poller, walks());
}

TEST_CASE("OWN-1 OWN-3: a thread that runs one fiber only lies down, and gets it back") {
  holds(own_asleep, walks());
  holds(own_lies_down, walks());
  holds(own_beside_monitor, walks());
}

TEST_CASE("known mistakes of who hands over and who lies down") {
  CHECK(caught(lying_down, mistake::bound_queue_not_checked));
  CHECK(caught(two_processors, mistake::poller_woken_twice));
  CHECK(caught(one_processor, mistake::not_counted));
  CHECK(caught(three, mistake::role_ends_with_wake));
  CHECK(caught(two_processors, mistake::blind_second_look));
  CHECK(caught(reserved, mistake::put_back_silently));
  CHECK(caught(reserved_in_poller, mistake::put_back_twice));
  CHECK(caught(own_asleep, mistake::own_leaves_silently));
  CHECK(caught(own_asleep, mistake::undone_late));
}
