// SPDX-License-Identifier: BSL-1.0
// test/model/handoff_processor_model.cpp - a processor leaves a worker in user code: by the
// handler of the preemption signal (sched/preempt_request.hpp and processor_lease.hpp; freeze of
// watch/preempter.cpp), by the monitor's retake, and by both at once. The signal finds the worker
// in user code or inside weft; spares sleep until a processor is assigned to them. The processor
// is plain data: two holders, or one that misses the last one's writes, is a race.
#include "sched/preempt_request.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/parker.hpp"
#include "model/holds.hpp"
#include "model/sync.hpp"
#include "sched/processor_lease.hpp"

using namespace weft;
using namespace weft::detail;
using model::at_most;
using model::execution;
using model::holds;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

struct processor {
  model::plain<int> visits{0};
  model::atomic<std::uint32_t> tick{0};
};

void visit(processor& p) { p.visits = p.visits + 1; }

// As in worker.hpp and idle.cpp.
struct bed {
  model::atomic<processor*> assigned{nullptr};
  base::basic_parker<model::sync> parker;
  void give(processor& p) {
    assigned.store(&p, release);
    parker.unpark();
  }
  processor& wait() {
    for (;;) {
      if (processor* p = assigned.load(acquire)) {
        assigned.store(nullptr, relaxed);
        return *p;
      }
      parker.park();
    }
  }
};

struct spare : bed {
  model::atomic<unsigned> runs_detached{0};  // a frozen one that stands by
  model::plain<int> made{0};                 // a worker made just now, by the monitor
  model::atomic<unsigned> used{0};
};

template <class Sync>
struct scene {
  basic_processor_lease<processor, Sync> gate;
  basic_preempt_request<spare, Sync> request;
  processor mine;
  spare first, second;  // the handler's, and the retake's
  bed frozen;           // the worker, in its handler
  model::atomic<unsigned> freezes{0}, queued{0}, put_back{0}, retaken{0};
};
template <class Sync>
using shared = std::shared_ptr<scene<Sync>>;

// scheduler::freeze
template <class Sync>
void handler(const shared<Sync>& s) {
  if (!s->request.accept()) return;
  if (s->gate.inside()) return;
  processor* p = s->gate.enter();
  if (p == nullptr || p->tick.load(relaxed) != s->request.tick() || !s->gate.detach(p)) {
    s->gate.leave();
    return;
  }
  spare* to = s->request.take_spare();
  if (to == nullptr) {
    s->gate.attach(p);
    s->gate.leave();
    return;
  }
  visit(*p);  // holder and ticks are written while it is ours
  model::check(to->made == 1, "PREEMPT-1: the handler sees the worker that was made for it");
  s->freezes.fetch_add(1, relaxed);
  to->give(*p);
  processor& back = s->frozen.wait();
  s->gate.attach(&back);
  s->gate.leave();
}

// A step of the fiber into weft; false: no processor any more, its fiber queued up (RETAKE-2).
template <class Sync>
bool step(const shared<Sync>& s) {
  processor* p = s->gate.enter();
  if (p == nullptr) p = s->gate.await_taker();
  if (p == nullptr) {
    s->queued.fetch_add(1, relaxed);
    return false;
  }
  visit(*p);
  p->tick.store(p->tick.load(relaxed) + 1, relaxed);
  s->gate.leave();
  return true;
}

// One worker, its handler between and after its steps; the monitor; the spares. A spare that was
// given the processor by the handler thaws the worker with it.
template <class Sync>
model::program scenario(bool preempts, bool retakes) {
  return [=](execution& x) {
    auto s = std::make_shared<scene<Sync>>();
    s->gate.attach(&s->mine);
    s->gate.leave();
    x.thread("worker", [=] {
      handler<Sync>(s);
      if (!step<Sync>(s)) return;
      handler<Sync>(s);
    });
    x.thread("monitor", [=] {
      if (preempts) {
        s->first.made = 1;
        s->request.provide(s->first);
        s->request.ask(0);
      }
      if (retakes && s->gate.try_take(&s->mine)) {
        visit(s->mine);
        s->gate.keep();
        s->retaken.store(1, relaxed);
        s->second.give(s->mine);
      }
      // A later round: the tick has moved, or somebody else holds the processor.
      if (preempts && s->request.take_back() != nullptr) s->put_back.store(1, relaxed);
    });
    x.daemon("first spare", [=] {
      processor& p = s->first.wait();
      s->first.used.fetch_add(1, relaxed);
      visit(p);
      s->frozen.give(p);
    });
    if (retakes)
      x.daemon("second spare", [=] {
        processor& p = s->second.wait();
        s->second.used.fetch_add(1, relaxed);
        visit(p);
      });
    x.finally([=] {
      const unsigned freezes = s->freezes.load(relaxed), retaken = s->retaken.load(relaxed);
      const unsigned put_back = s->put_back.load(relaxed);
      if (preempts)
        model::check(freezes + put_back == 1, "PREEMPT-1: the spare was used or put back");
      model::check(s->first.used.load(relaxed) == freezes, "WAKE-1: whom the handler woke ran");
      model::check(s->second.used.load(relaxed) == retaken,
                   "RETAKE-1: who was to have the processor has it");
      model::check(s->queued.load(relaxed) <= retaken,
                   "RETAKE-2: only who was retaken from queues up");
      model::observe({long(freezes), long(retaken), long(s->queued.load(relaxed))});
    });
  };
}

template <class Sync>
void asked(execution& x) {
  struct state {
    basic_preempt_request<spare, Sync> request;
    model::atomic<unsigned> accepted{0};
  };
  auto s = std::make_shared<state>();
  x.thread("monitor", [=] { s->request.ask(7); });
  x.thread("worker", [=] {
    for (int signals = 0; signals < 2; ++signals) {
      if (!s->request.accept()) continue;
      model::check(s->request.tick() == 7, "PREEMPT-2: the tick it was made for");
      s->accepted.fetch_add(1, relaxed);
    }
  });
  x.finally([=] { model::check(s->accepted.load(relaxed) <= 1, "PREEMPT-2: once"); });
}

// A request that was made for a spare taken back since finds the next one.
template <class Sync>
void provided_again(execution& x) {
  struct state {
    basic_preempt_request<spare, Sync> request;
    spare first, second;
  };
  auto s = std::make_shared<state>();
  x.thread("monitor", [=] {
    s->first.made = 1;
    s->request.provide(s->first);
    s->request.ask(0);
    if (s->request.take_back() == nullptr) return;
    s->second.made = 1;
    s->request.provide(s->second);
  });
  x.thread("worker", [=] {
    if (!s->request.accept()) return;
    if (spare* to = s->request.take_spare())
      model::check(to->made == 1, "PREEMPT-1: the handler sees the worker that was made for it");
  });
}

// No spare is to be had: the oldest frozen thread stands by as the successor (reserve_frozen). Or
// the monitor has it go on without a processor, because somebody may wait for what it holds inside
// weft (thaw_detached).
enum class mistake { none, detached_without_taking_back };
template <class Sync>
model::program standing_by(mistake wrong = mistake::none) {
  return [=](execution& x) {
    auto s = std::make_shared<scene<Sync>>();
    s->gate.attach(&s->mine);
    s->gate.leave();
    x.thread("worker", [=] { handler<Sync>(s); });
    x.thread("monitor", [=] {
      s->first.made = 1;
      s->request.provide(s->first);
      s->request.ask(0);
      if (s->request.take_back() == nullptr && wrong == mistake::none) return;
      s->first.runs_detached.store(1, release);
      s->first.parker.unpark();
    });
    x.thread("frozen", [=] {  // freeze, from its wait on
      processor* back;
      while ((back = s->first.assigned.load(acquire)) == nullptr) {
        if (s->first.runs_detached.exchange(0, acquire) != 0) {
          s->put_back.store(1, relaxed);
          return;
        }
        s->first.parker.park();
      }
      // take_turn: the worker is the last in line now, and has its turn in the end
      visit(*back);
      s->frozen.give(*back);
    });
    x.finally([=] {
      const unsigned freezes = s->freezes.load(relaxed), detached = s->put_back.load(relaxed);
      model::check(freezes + detached == 1,
                   "PREEMPT-3: who stood by goes on, with the processor or without");
      model::observe({long(freezes)});
    });
  };
}

}  // namespace

TEST_CASE("PREEMPT-1, PREEMPT-2: the spare is used or put back, and the processor comes home") {
  const auto r = holds(scenario<model::sync>(true, false), at_most(4));
  CHECK(r.saw({0, 0, 0}));
  CHECK(r.saw({1, 0, 0}));
}

TEST_CASE("RETAKE-1, RETAKE-2: one holder, and the fiber queues up or keeps its processor") {
  const auto r = holds(scenario<model::sync>(false, true));
  CHECK(r.saw({0, 0, 0}));
  CHECK(r.saw({0, 1, 1}));
}

TEST_CASE("PREEMPT-1, RETAKE-1: preempted and retaken from at once") {
  const auto r = holds(scenario<model::sync>(true, true), at_most(3));
  CHECK(r.saw({0, 1, 1}));
  CHECK(r.saw({1, 0, 0}));
}

TEST_CASE("PREEMPT-2: whoever accepts knows the tick, and accepts once") {
  holds(asked<model::sync>);
}

TEST_CASE("PREEMPT-1: a late request finds the spare that was provided after it") {
  holds(provided_again<model::sync>);
}

TEST_CASE("PREEMPT-3: a frozen thread that stands by goes on") {
  const auto r = holds(standing_by<model::sync>(), at_most(4));
  CHECK(r.saw({0}));
  CHECK(r.saw({1}));
  CHECK_FALSE(
      model::explore(at_most(3), standing_by<model::sync>(mistake::detached_without_taking_back))
          .ok());
}

TEST_CASE("RETAKE-1 stands on the membarrier") {
  CHECK(model::explore(at_most(3), scenario<model::no_heavy_fence_sync>(false, true)).end ==
        model::verdict::raced);
}

TEST_CASE("PREEMPT: which orderings are needed") {
  const auto all = model::mutate(
      at_most(2),
      {asked<model::sync>, provided_again<model::sync>, scenario<model::sync>(true, false)},
      "/preempt_request.hpp");
  CHECK_MESSAGE(model::survivors(all).empty(), model::list(all));
}
