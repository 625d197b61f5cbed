// SPDX-License-Identifier: BSL-1.0
// test/model/snapshot_model.cpp - reports look at fibers that go on: fiber_word.hpp (SNAPSHOT-1,
// GRAPH-1), frozen_context.hpp (FROZEN-1), snapshot_request.hpp (RUN-1). What a report may read
// while its owner writes - stacks, reasons - are relaxed atomics here.
#include <doctest/doctest.h>

#include <memory>

#include "debug/snapshot_request.hpp"
#include "fiber/fiber_word.hpp"
#include "model/holds.hpp"
#include "model/sync.hpp"
#include "sched/frozen_context.hpp"

using namespace weft;
using namespace weft::detail;
using model::execution;

namespace {

using model::holds;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

using word = basic_fiber_word<model::sync>;
using request = basic_snapshot_request<model::sync>;
using frozen = basic_frozen_context<model::sync>;

void fails(const model::program& p, const model::options& o = {}) {
  const auto r = model::explore(o, p);
  CHECK_MESSAGE(r.end == model::verdict::violated, r.report);
}
model::options with_switches(int n) {
  model::options o;
  o.preemptions = n;
  return o;
}

// ---- SNAPSHOT-1: a fiber parks with (1, 1), is woken, goes on to (2, 2) and parks again.
enum class going_on { in_order, anyhow };  // x86-64's stores, and others'
enum class looking { twice, once };

struct parker {
  word state;
  model::atomic<int> reason{0}, stack{0};
  model::atomic<int> runs{0};  // the queue that it is in once woken
};

void park(parker& p, int what) {
  p.reason.store(what, relaxed);
  p.stack.store(what, relaxed);
  p.state.begin_park(stoppable::no);
  if (p.state.commit([] { return false; }) == commit_duty::none)
    while (p.runs.load(acquire) == 0) model::sync::pause();
}

model::program park_and_snapshot(going_on how, looking often) {
  return [=](execution& x) {
    auto p = std::make_shared<parker>();
    x.daemon("fiber", [p = p.get(), how] {  // a wake that comes before the park is none
      park(*p, 1);
      p->state.set(fiber_state::running);
      if (how == going_on::in_order) model::sync::fence(release);
      p->reason.store(2, relaxed);
      p->stack.store(2, relaxed);
      p->state.begin_park(stoppable::no);
      static_cast<void>(p->state.commit([] { return false; }));
    });
    x.thread("waker", [=] {
      if (p->state.wake(1, wake_code::ready) == wake_duty::enqueue) p->runs.store(1, release);
    });
    x.thread("reporter", [=] {
      const std::uint64_t w = p->state.snapshot();
      if (word::state_of(w) != fiber_state::parked) return;
      const int reason = p->reason.load(relaxed), stack = p->stack.load(relaxed);
      if (often == looking::twice && !p->state.still(w)) return;
      const int park = static_cast<int>(word::epoch_of(w));
      model::check(reason == park && stack == park,
                   "SNAPSHOT-1: reason and stack are those of the park that was seen");
      model::observe({park});
    });
  };
}

// ---- FROZEN-1: a thread is frozen twice; between, its fiber goes on.
model::program freeze_and_snapshot(looking often) {
  return [=](execution& x) {
    struct scene {
      frozen at;
      model::atomic<std::uintptr_t> stack{1};
    };
    auto s = std::make_shared<scene>();
    x.thread("thread", [=] {
      {
        const frozen::stay first(s->at, {.pc = 1, .sp = 1});
      }
      s->stack.store(2, relaxed);
      {
        const frozen::stay second(s->at, {.pc = 2, .sp = 2});
      }
      s->stack.store(3, relaxed);
    });
    x.thread("reporter", [=] {
      const std::uint32_t turn = s->at.turn();
      if (turn % 2 == 0) return;
      const registers place = s->at.place();
      const std::uintptr_t stack = s->stack.load(relaxed);
      if (often == looking::twice && !s->at.still(turn)) return;
      const std::uintptr_t expected = turn == 1 ? 1 : 2;
      model::check(place.pc == expected && place.sp == expected && stack == expected,
                   "FROZEN-1: place and stack are those of the turn that was seen");
      model::observe({static_cast<long>(turn)});
    });
  };
}

// ---- GRAPH-1: A has m1 and waits for m2, gets it from B, gives it back; B takes it again and
// waits for m1, which A has. At no moment do both wait. Owners: 1 is A, 2 is B.
model::program wait_in_turn(looking often) {
  return [=](execution& x) {
    struct scene {
      word a, b;
      model::atomic<int> m1{1}, m2{2};
      model::atomic<int> a_runs{0}, b_runs{0};
    };
    auto s = std::make_shared<scene>();
    const auto wait = [](word& w, model::atomic<int>& runs) {
      w.begin_park(stoppable::no);
      if (w.commit([] { return false; }) == commit_duty::none)
        while (runs.load(acquire) == 0) model::sync::pause();
      w.set(fiber_state::running);
    };
    const auto wake = [](word& w, model::atomic<int>& runs) {
      while (w.wake(1, wake_code::ready) == wake_duty::stale) model::sync::pause();
      runs.store(1, release);
    };
    x.thread("A", [=] {
      wait(s->a, s->a_runs);
      s->m2.store(0, release);
      wake(s->b, s->b_runs);
    });
    x.thread("B", [=] {
      s->m2.store(1, release);
      wake(s->a, s->a_runs);
      while (s->m2.load(acquire) != 0) model::sync::pause();
      s->m2.store(2, release);
      wait(s->b, s->b_runs);
    });
    x.thread("reporter", [=] {
      const std::uint64_t a = s->a.snapshot(), b = s->b.snapshot();
      if (word::state_of(a) != fiber_state::parked || word::state_of(b) != fiber_state::parked)
        return;
      if (s->m2.load(acquire) != 2 || s->m1.load(acquire) != 1) return;
      const bool told = often == looking::once || (s->a.still(a) && s->b.still(b));
      model::check(!told, "GRAPH-1: a cycle that never was is not told");
    });
  };
}

// The cycle that is there is told.
void wait_for_each_other(execution& x) {
  struct scene {
    word a, b;
  };
  auto s = std::make_shared<scene>();
  for (word* w : {&s->a, &s->b})
    x.thread("fiber", [=] {
      w->begin_park(stoppable::no);
      static_cast<void>(w->commit([] { return false; }));
    });
  x.finally([=] {
    const std::uint64_t a = s->a.snapshot(), b = s->b.snapshot();
    model::check(word::state_of(a) == fiber_state::parked && s->a.still(a) && s->b.still(b),
                 "GRAPH-1: it stays");
  });
}

// ---- RUN-1: two reports, two handlers, of which any may be late.
struct unguarded : request {  // planted: the reporter just takes the question back
  [[nodiscard]] withdrawal withdraw() noexcept {
    futex().store(idle, relaxed);
    return withdrawal::never_taken;
  }
};
template <class Request>
void two_reports(execution& x) {
  struct scene {
    Request state;
    model::plain<int> question{0}, copy{0};
  };
  auto s = std::make_shared<scene>();
  x.thread("reporter", [=] {
    long answers = 0;
    for (int i = 1; i <= 2; ++i) {
      s->question = i;
      s->copy = 0;
      s->state.ask();
      bool answered = s->state.is_done();
      if (!answered) {
        const auto how = s->state.withdraw();
        answered = how != Request::withdrawal::never_taken;
        if (how == Request::withdrawal::taken)
          while (!s->state.is_done()) model::sync::pause();
      }
      if (!answered) continue;
      ++answers;
      model::check(s->copy == 10 * i, "RUN-1: the answer is to this question");
    }
    model::observe({answers});
  });
  for (const char* name : {"handler", "late handler"})
    x.thread(name, [=] {
      if (!s->state.take()) return;
      s->copy = 10 * s->question;
      s->state.finish();
    });
}

}  // namespace

TEST_CASE("SNAPSHOT-1: what is told of a parked fiber was so at one moment") {
  holds(park_and_snapshot(going_on::in_order, looking::twice));
  const auto r = model::explore({}, park_and_snapshot(going_on::in_order, looking::twice));
  CHECK(r.saw({1}));
  CHECK(r.saw({2}));
  fails(park_and_snapshot(going_on::in_order, looking::once));
  // other processors need a fence there
  fails(park_and_snapshot(going_on::anyhow, looking::twice));
}

TEST_CASE("FROZEN-1: place and stack of a preempted fiber belong together") {
  holds(freeze_and_snapshot(looking::twice), with_switches(4));
  fails(freeze_and_snapshot(looking::once), with_switches(4));
}

TEST_CASE("GRAPH-1: a cycle is told if it is one, and only then") {
  model::options some = with_switches(3);
  some.reorder_stores = false;
  some.spurious_failures = 0;
  holds(wait_in_turn(looking::twice), some);
  fails(wait_in_turn(looking::once), some);
  holds(wait_for_each_other);
}

TEST_CASE("RUN-1: the copy is one's at a time") {
  holds(two_reports<request>);
  CHECK(!model::explore({}, two_reports<unguarded>).ok());
  const auto mutants = model::mutate({}, {two_reports<request>}, "snapshot_request.hpp");
  CHECK_MESSAGE(model::survivors(mutants).empty(), model::list(mutants));
}
