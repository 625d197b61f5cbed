// SPDX-License-Identifier: BSL-1.0
// test/model/poll_deadline_model.cpp - TIMER-1: sched/poll_deadline.hpp over sched/idle_state.hpp:
// the sleeper in the poller against workers that retire, and fibers that park without a processor.
// Time does not pass: the sleeper is right once it sleeps until the first deadline. A timer that it
// does not know of is a deadlock. A processor is its heap and whether it is idle.
#include "sched/poll_deadline.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"
#include "sched/idle_state.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

enum class mistake { none, looks_first, tells_first, undoes_silently };

// The other way that SYNC-1 allows: full fences everywhere.
struct full_fences : model::sync {
  static void light_fence(model::where w = model::where::here()) {
    fence(std::memory_order_seq_cst, w);
  }
  static void heavy_fence(model::where w = model::where::here()) {
    fence(std::memory_order_seq_cst, w);
  }
};

template <class Sync>
struct world {
  detail::basic_idle_state<Sync> gate;
  detail::basic_first_deadline<Sync> heaps[2];
  detail::basic_poll_deadline<Sync> until;
  model::atomic<unsigned> event{0};  // the eventfd
};
template <class Sync>
using shared = std::shared_ptr<world<Sync>>;
constexpr std::int64_t never = detail::poll_deadline::never;

template <class Sync>
std::int64_t earliest(const shared<Sync>& w) {
  return std::min(w->heaps[0].get(), w->heaps[1].get());
}
template <class Sync>
void tell(const shared<Sync>& w, std::int64_t deadline) {
  if (w->until.misses(deadline)) w->event.exchange(1, std::memory_order_acq_rel);
}

// As scheduler::sleep_in_poller, again and again.
template <class Sync>
void sleep_until(const shared<Sync>& w, std::int64_t wanted, mistake wrong) {
  for (;;) {
    std::int64_t early = never;
    if (wrong == mistake::looks_first) early = earliest(w);
    const std::int64_t until = w->until.begin([&] {
      if (wrong == mistake::looks_first) return early;
      return w->gate.idle() > 0 ? earliest(w) : never;
    });
    if (until == wanted) return;
    while (w->event.exchange(0, std::memory_order_acq_rel) == 0) model::sync::pause();
    w->until.end();
  }
}

// As scheduler::retire, with a timer in the heap.
template <class Sync>
void retire(const shared<Sync>& w, int p, std::int64_t deadline, mistake wrong = mistake::none) {
  w->heaps[p].lower(deadline);
  if (wrong == mistake::tells_first) tell(w, deadline);
  w->gate.retire(false);
  if (wrong != mistake::tells_first) tell(w, w->heaps[p].get());
}

template <class Sync>
model::program one_retires(mistake wrong = mistake::none) {
  return [=](execution& x) {
    auto w = std::make_shared<world<Sync>>();
    x.thread("sleeper", [=] { sleep_until(w, 5, wrong); });
    x.thread("retirer", [=] { retire(w, 0, 5, wrong); });
  };
}
template <class Sync>
model::program two_retire() {
  return [](execution& x) {
    auto w = std::make_shared<world<Sync>>();
    x.thread("sleeper", [=] { sleep_until(w, 5, mistake::none); });
    x.thread("retirer", [=] { retire(w, 0, 7); });
    x.thread("second", [=] { retire(w, 1, 5); });
  };
}
// A processor is idle; a fiber without one leaves a deadline in its heap, or those of a processor
// that leaves service go there.
template <class Sync>
model::program from_outside() {
  return [](execution& x) {
    auto w = std::make_shared<world<Sync>>();
    w->heaps[1].set(9);
    w->gate.retire(false);
    x.thread("sleeper", [=] { sleep_until(w, 5, mistake::none); });
    x.thread("outside", [=] {
      w->heaps[0].lower(5);
      tell(w, 5);
    });
  };
}
// As sleepers::rise: the claim of a worker that has been woken meanwhile, and is taken back. The
// processor it has claimed looks busy for a moment, and has a timer.
template <class Sync>
model::program undone(mistake wrong = mistake::none) {
  return [=](execution& x) {
    auto w = std::make_shared<world<Sync>>();
    w->heaps[0].set(5);
    w->gate.retire(false);
    x.thread("sleeper", [=] { sleep_until(w, 5, mistake::none); });
    x.thread("riser", [=] {
      if (!w->gate.try_unretire()) return;
      w->gate.undo_claim_wake();
      if (wrong == mistake::undoes_silently) return;
      Sync::heavy_fence();
      tell(w, earliest(w));
    });
  };
}

model::programs small() {
  return {one_retires<model::sync>(), from_outside<model::sync>(), undone<model::sync>()};
}

}  // namespace

TEST_CASE("TIMER-1: who sleeps in the poller knows of every timer of an idle processor") {
  for (const auto& p : small()) holds(p);
  holds(two_retire<model::sync>(), model::bounded(3));
}
TEST_CASE("TIMER-1: the same without membarrier") {
  holds(one_retires<full_fences>());
  holds(two_retire<full_fences>(), model::bounded(3));
  holds(undone<full_fences>());
}
TEST_CASE("TIMER-1: known mistakes") {
  const auto deadlocks = [](const model::program& p) {
    return model::explore({}, p).end == model::verdict::deadlocked;
  };
  CHECK(deadlocks(one_retires<model::sync>(mistake::looks_first)));
  CHECK(deadlocks(one_retires<model::sync>(mistake::tells_first)));
  CHECK(deadlocks(undone<model::sync>(mistake::undoes_silently)));
  CHECK(deadlocks(one_retires<model::no_heavy_fence_sync>()));
  // The sleeper's light fence left out where that must be a full one.
  CHECK(deadlocks(one_retires<model::local_heavy_fence_sync>()));
}
TEST_CASE("TIMER-1: which orderings are needed") {
  const auto mutants = model::mutate({}, small(), "/poll_deadline.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(mutants) == expected, model::list(mutants));
}
