// SPDX-License-Identifier: BSL-1.0
// test/model/poller_role_model.cpp - SLEEP-5 over sched/idle_state.hpp: the sleeper leaves the
// poller and does not want the role again while somebody is busy; the last busy worker retires. The
// steps are those of sleepers: leave_poller, lie_down, find_place, each critical section as there.
#include <doctest/doctest.h>

#include <memory>

#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"
#include "sched/idle_state.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

enum class mistake { none, counts_late, looks_first };

struct world {
  detail::basic_idle_state<model::sync> gate;
  model::spin_lock lock;
  model::plain<int> in_poller{1};  // 1 the sleeper, 2 the worker, 0 nobody
  world() { gate.retire(false); }  // the sleeper's processor; the worker's is the other one
};

template <mistake M>
void pauses_and_retires(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("sleeper", [=] {
    const bool all_idle_before = w->gate.idle() >= 2;
    w->lock.lock();
    w->in_poller = 0;
    w->lock.unlock();
    w->lock.lock();
    const bool all_idle = M == mistake::looks_first ? all_idle_before : w->gate.idle() >= 2;
    if (w->in_poller == 0 && all_idle) w->in_poller = 1;
    w->lock.unlock();
  });
  x.thread("worker", [=] {
    if (M != mistake::counts_late) w->gate.retire(false);
    w->lock.lock();
    if (w->in_poller == 0) w->in_poller = 2;
    w->lock.unlock();
    if (M == mistake::counts_late) w->gate.retire(false);
  });
  x.finally([=] { model::check(w->in_poller != 0, "SLEEP-5: all are idle, and one polls"); });
}

}  // namespace

TEST_CASE("SLEEP-5: the poller is not left alone when the last worker retires") {
  holds(pauses_and_retires<mistake::none>);
}
TEST_CASE("SLEEP-5: the order of the steps is needed") {
  CHECK_FALSE(model::explore({}, pauses_and_retires<mistake::counts_late>).ok());
  CHECK_FALSE(model::explore({}, pauses_and_retires<mistake::looks_first>).ok());
}
