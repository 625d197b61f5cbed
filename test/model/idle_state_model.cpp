// SPDX-License-Identifier: BSL-1.0
// test/model/idle_state_model.cpp - sched/idle_state.hpp: submitters against workers about to
// sleep. Workers follow the walk of the scheduler: search, else retire, look again, sleep in the
// kernel until a wake that somebody claimed for them. They are daemons: an execution ends with
// every worker asleep, and then no work may be left and the counts must say so. A job that waits
// for another shows a missing wake as a deadlock.
#include "sched/idle_state.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

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
  basic_idle_state<Sync> gate;
  model::atomic<unsigned> jobs{0};   // waiting on all queues together
  model::atomic<unsigned> begun{0};  // jobs taken so far
  model::atomic<unsigned> word{0};   // wakes on their way; sleepers wait on it in the kernel
  unsigned together = 1;             // a job ends only when so many have begun
};
template <class Sync>
using shared = std::shared_ptr<scene<Sync>>;

template <class Sync>
void ring(const shared<Sync>& s) {
  s->word.fetch_add(1, acq_rel);
  s->word.futex_wake(1);
}

template <class Sync>
void wake_one(const shared<Sync>& s) {
  if (s->gate.must_wake() && s->gate.try_claim_wake()) ring<Sync>(s);
}

template <class Sync>
void submit(const shared<Sync>& s) {
  s->jobs.fetch_add(1, release);  // as weak as any queue's publication
  wake_one<Sync>(s);
}

template <class Sync>
bool take(const shared<Sync>& s) {
  unsigned n = s->jobs.load(relaxed);
  while (n != 0)
    if (s->jobs.compare_exchange_strong(n, n - 1, acquire, relaxed)) return true;
  return false;
}

template <class Sync>
void run_job(const shared<Sync>& s) {
  s->begun.fetch_add(1, relaxed);
  while (s->begun.load(relaxed) < s->together) model::sync::pause();
}

template <class Sync>
void sleep(const shared<Sync>& s) {
  for (;;) {
    s->word.futex_wait(0);
    unsigned n = s->word.load(relaxed);
    if (n != 0 && s->word.compare_exchange_strong(n, n - 1, acquire, relaxed)) return;
  }
}

// Begins counted as searching; ends asleep for ever.
template <class Sync>
void work(const shared<Sync>& s, std::uint32_t processors) {
  bool searching = true;
  for (;;) {
    bool found = take<Sync>(s);
    if (found) {
      if (searching && s->gate.end_search() == search_duty::wake_another &&
          s->gate.try_claim_wake())
        ring<Sync>(s);
      searching = false;
      run_job<Sync>(s);
      searching = s->gate.try_begin_search(processors);
      continue;
    }
    s->gate.retire(searching);
    searching = true;
    // The second look; a worker whose own processor was claimed for a wake meanwhile takes that
    // wake.
    if (s->jobs.load(relaxed) != 0 && s->gate.try_unretire()) continue;
    sleep<Sync>(s);
  }
}

template <class Sync>
model::program scenario(std::uint32_t workers, unsigned submitters, unsigned each,
                        unsigned together = 1) {
  return [=](execution& x) {
    auto s = std::make_shared<scene<Sync>>();
    s->together = together;
    for (std::uint32_t w = 0; w < workers; ++w) {
      const bool counted = s->gate.try_begin_search(workers);
      x.daemon("worker", [=] {
        if (counted) return work<Sync>(s, workers);
        s->gate.retire(false);
        if (s->jobs.load(relaxed) == 0 || !s->gate.try_unretire()) sleep<Sync>(s);
        work<Sync>(s, workers);
      });
    }
    for (unsigned t = 0; t < submitters; ++t)
      x.thread("submitter", [=] {
        for (unsigned i = 0; i < each; ++i) submit<Sync>(s);
      });
    x.finally([=] {
      model::check(s->jobs.load(relaxed) == 0, "IDLE-1: nobody sleeps while there is work");
      model::check(s->begun.load(relaxed) == submitters * each, "every job ran");
      model::check(s->gate.idle() == workers, "IDLE-2: all asleep, all counted idle");
      model::check(s->gate.searching() == 0, "IDLE-2: none searching");
    });
  };
}

// Everything for one worker and one job; beyond that, all schedules with so few preemptions.
}  // namespace

TEST_CASE("IDLE-1: no lost wake-up") {
  holds(scenario<model::sync>(1, 1, 1));
  holds(scenario<model::sync>(1, 1, 2), bounded(3));
  holds(scenario<model::sync>(1, 2, 1), bounded(2));
  holds(scenario<model::sync>(2, 1, 1), bounded(2));
}

TEST_CASE("IDLE-2: two jobs reach two workers") {
  holds(scenario<model::sync>(2, 1, 2, 2), bounded(1));
}

TEST_CASE("IDLE-1 stands on the membarrier") {
  CHECK(model::explore({}, scenario<model::no_heavy_fence_sync>(1, 1, 1)).end ==
        model::verdict::violated);
  CHECK(model::explore({}, scenario<model::local_heavy_fence_sync>(1, 1, 1)).end ==
        model::verdict::violated);
}

TEST_CASE("IDLE: which orderings are needed") {
  const auto all = model::mutate(bounded(2),
                                 {scenario<model::sync>(1, 1, 1), scenario<model::sync>(1, 1, 2),
                                  scenario<model::sync>(1, 2, 1)},
                                 "/idle_state.hpp");
  // Not missed: every order on the word itself. It carries counts and no data; the heavy fence
  // carries IDLE-1.
  const std::vector<std::string> expected{
      "cas acq_rel made relaxed", "cas acq_rel made relaxed", "cas acq_rel made relaxed",
      "rmw acq_rel made relaxed", "rmw acq_rel made relaxed",
  };
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
