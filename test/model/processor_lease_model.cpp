// SPDX-License-Identifier: BSL-1.0
// test/model/processor_lease_model.cpp - sched/processor_lease.hpp: a worker entering weft against
// those who would take its processor. The processor is one plain counter: two holders at once, or a
// holder that does not see the last one's writes, is a reported race.
#include "sched/processor_lease.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;

namespace {

using model::holds;

struct processor {
  model::plain<int> visits{0};
};

template <class Sync>
struct scene {
  detail::basic_processor_lease<processor, Sync> gate;
  processor mine;
};

enum class then { give_back, keep };

void visit(processor& p) { p.visits = p.visits + 1; }

// One worker with so many entries into weft, and one taker per `then`.
template <class Sync>
model::program scenario(int entries, std::vector<then> takers) {
  return [=](execution& x) {
    auto s = std::make_shared<scene<Sync>>();
    s->gate.attach(&s->mine);
    s->gate.leave();
    x.thread("worker", [=] {
      for (int i = 0; i < entries; ++i) {
        processor* p = s->gate.enter();
        if (p == nullptr) p = s->gate.await_taker();
        if (p == nullptr) return;  // detached: the processor is gone for good
        visit(*p);
        s->gate.leave();
      }
    });
    for (const then what : takers)
      x.thread(what == then::keep ? "monitor" : "thief", [=] {
        if (!s->gate.try_take(&s->mine)) return;
        visit(s->mine);
        if (what == then::give_back) {
          s->gate.give_back(&s->mine);
        } else {
          s->gate.keep();
          visit(s->mine);  // the taker's from now on, whatever the worker does
        }
      });
  };
}

// The worker lays its processor down by itself while a taker tries.
template <class Sync>
void worker_detaches(execution& x) {
  auto s = std::make_shared<scene<Sync>>();
  s->gate.attach(&s->mine);
  s->gate.leave();
  x.thread("worker", [=] {
    processor* p = s->gate.enter();
    while (p == nullptr || !s->gate.detach(p)) {
      p = s->gate.await_taker();
      if (p == nullptr) return;
    }
    visit(*p);  // still the worker's: nobody can reach it through the gate
    s->gate.attach(p);
    s->gate.leave();
  });
  x.thread("monitor", [=] {
    if (!s->gate.try_take(&s->mine)) return;
    visit(s->mine);
    s->gate.keep();
  });
}

}  // namespace

TEST_CASE("LEASE-1: worker and taker never hold the processor together") {
  holds(scenario<model::sync>(1, {then::keep}));
  holds(scenario<model::sync>(2, {then::give_back}));
  holds(scenario<model::sync>(2, {then::keep}));
  holds(scenario<model::sync>(1, {then::keep, then::give_back}));
  holds(worker_detaches<model::sync>);
}

TEST_CASE("LEASE-2: the next holder sees what the last one wrote") {
  holds(scenario<model::sync>(2, {then::give_back, then::give_back}));
}

TEST_CASE("LEASE-1 stands on the membarrier") {
  CHECK(model::explore({}, scenario<model::no_heavy_fence_sync>(1, {then::keep})).end ==
        model::verdict::raced);
  CHECK(model::explore({}, scenario<model::local_heavy_fence_sync>(1, {then::keep})).end ==
        model::verdict::raced);
}

TEST_CASE("LEASE: which orderings are needed") {
  const auto all = model::mutate(
      {},
      {scenario<model::sync>(1, {then::keep}), scenario<model::sync>(2, {then::give_back}),
       worker_detaches<model::sync>, scenario<model::sync>(1, {then::give_back, then::keep})},
      "/processor_lease.hpp");
  // Not missed: attach's release (leave's covers it), the order of the CAS in try_take (the
  // membarrier after it acquires) and of the one in detach, and keep's release (the worker touches
  // nothing of the taker's).
  const std::vector<std::string> expected{
      "cas acq_rel made relaxed",
      "cas acq_rel made relaxed",
      "store release made relaxed",
      "store release made relaxed",
  };
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
