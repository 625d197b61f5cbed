// SPDX-License-Identifier: BSL-1.0
// test/model/processor_counts_model.cpp - sched/processor_counts.hpp together with
// sched/idle_state.hpp: processors are laid down and put back into service (resizer) while
// submitters bring work. A processor that becomes inactive is in nobody's count, and its worker
// sleeps; then no work may be left, and somebody must serve.
#include "sched/processor_counts.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"
#include "sched/idle_state.hpp"

using namespace weft;
using namespace weft::detail;
using model::execution;

namespace {

using model::bounded;
using model::holds;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;

template <class Sync>
struct scene {
  explicit scene(std::uint32_t processors) : count(processors) {}
  basic_idle_state<Sync> gate;
  basic_processor_counts<Sync> count;
  model::atomic<unsigned> jobs{0};  // on the inject queue
  model::atomic<unsigned> begun{0};
  model::atomic<unsigned> word{0};     // wakes on their way
  model::atomic<unsigned> resting{0};  // the list
};
template <class Sync>
using shared = std::shared_ptr<scene<Sync>>;

template <class Sync>
void wake_one(const shared<Sync>& s) {
  if (!s->gate.must_wake() || !s->gate.try_claim_wake()) return;
  s->word.fetch_add(1, acq_rel);
  s->word.futex_wake(1);
}

template <class Sync>
bool take(const shared<Sync>& s) {
  unsigned n = s->jobs.load(relaxed);
  while (n != 0)
    if (s->jobs.compare_exchange_strong(n, n - 1, acquire, relaxed)) return true;
  return false;
}

// What scheduler::rest owes before the worker sleeps; there it looks.
template <class Sync>
void rest(const shared<Sync>& s, bool searching) {
  s->resting.fetch_add(1, relaxed);
  if (searching) static_cast<void>(s->gate.end_search());
  Sync::heavy_fence();
}

// A worker's walk, as in idle_state_model.cpp. `first`: it holds the processor that never becomes
// inactive.
template <class Sync>
void work(const shared<Sync>& s, bool first) {
  bool searching = false, holds = true;
  for (;;) {
    if (holds && !first && s->count.try_claim()) {
      rest<Sync>(s, searching);
      holds = false;
    }
    if (holds) {
      if (take<Sync>(s)) {
        if (searching && s->gate.end_search() == search_duty::wake_another) wake_one<Sync>(s);
        searching = false;
        s->begun.fetch_add(1, relaxed);
        continue;
      }
      s->gate.retire(searching);
    }
    searching = true;
    if (s->jobs.load(relaxed) != 0 && s->gate.try_unretire()) {  // the look in scheduler::sleep
      holds = true;
      continue;
    }
    for (;;) {
      s->word.futex_wait(0);
      unsigned n = s->word.load(relaxed);
      if (n != 0 && s->word.compare_exchange_strong(n, n - 1, acquire, relaxed)) break;
    }
    holds = true;
  }
}

// Two workers, both busy; a submitter; the monitor wants one processor fewer, and, if `again`,
// changes its mind.
template <class Sync>
model::program scenario(unsigned jobs, bool again) {
  return [=](execution& x) {
    auto s = std::make_shared<scene<Sync>>(2);
    for (const bool first : {true, false})
      x.daemon(first ? "first" : "second", [=] { work<Sync>(s, first); });
    x.thread("submitter", [=] {
      for (unsigned i = 0; i < jobs; ++i) {
        s->jobs.fetch_add(1, release);
        wake_one<Sync>(s);
      }
    });
    x.thread("monitor", [=] {
      s->count.shrink(1);
      model::check(s->count.wanted() == 1, "RESIZE-1: wanted is what was asked for");
      if (!again || s->count.withdraw(1) == 1) return;
      // Somebody has claimed. Once its processor becomes inactive, it is idle again
      // (activate_one_more).
      while (s->resting.load(relaxed) == 0) Sync::pause();
      s->resting.fetch_sub(1, relaxed);
      s->count.grow();
      s->gate.retire(false);
      if (s->jobs.load(relaxed) != 0) wake_one<Sync>(s);
    });
    x.finally([=] {
      model::check(s->jobs.load(relaxed) == 0, "IDLE-1: nobody sleeps while there is work");
      model::check(s->begun.load(relaxed) == jobs, "every job ran");
      model::check(s->count.wanted() == (again ? 2u : 1u), "RESIZE-1: as many as were asked for");
      model::check(s->count.serving() + s->resting.load(relaxed) == 2, "RESIZE-2: none is lost");
      model::check(s->gate.idle() == s->count.serving(), "IDLE-2: all that serve are idle");
      model::check(s->gate.searching() == 0, "IDLE-2: none searching");
    });
  };
}

// Workers and monitor at the count alone, everything: never more claims than surplus, never fewer
// than one left.
void claims(execution& x) {
  struct state {
    basic_processor_counts<model::sync> count{3};
    model::atomic<unsigned> claimed{0};
  };
  auto s = std::make_shared<state>();
  x.thread("monitor", [=] {
    s->count.shrink(2);
    const unsigned back = s->count.withdraw(1);
    model::check(s->count.wanted() == 1 + back, "RESIZE-1");
  });
  for (int i = 0; i < 2; ++i)
    x.thread("worker", [=] {
      if (s->count.try_claim()) s->claimed.fetch_add(1, relaxed);
    });
  x.finally([=] {
    const unsigned claimed = s->claimed.load(relaxed);
    model::check(s->count.serving() == 3 - claimed, "RESIZE-2: a claim is one processor less");
    model::check(s->count.serving() >= 1, "RESIZE-1: one stays");
    model::observe({long(claimed), long(s->count.surplus())});
  });
}

}  // namespace

TEST_CASE("RESIZE-1, RESIZE-2: claims against the monitor's changes of mind") {
  holds(claims);
  const auto r = model::explore({}, claims);
  CHECK(r.saw({0, 1}));
  CHECK(r.saw({1, 0}));
  CHECK(r.saw({2, 0}));
}

TEST_CASE("RESIZE-2, IDLE-1: a processor is laid down while work comes") {
  holds(scenario<model::sync>(1, false), bounded(2));
  holds(scenario<model::sync>(2, false), bounded(2));
}

TEST_CASE("RESIZE-1, IDLE-1: a processor is laid down and comes back while work comes") {
  holds(scenario<model::sync>(1, true), bounded(2));
}

TEST_CASE("IDLE-1 stands on the membarrier of who lays its processor down, too") {
  CHECK(model::explore(bounded(2), scenario<model::no_heavy_fence_sync>(1, false)).end ==
        model::verdict::violated);
}
