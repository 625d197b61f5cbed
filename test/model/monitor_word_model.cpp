// SPDX-License-Identifier: BSL-1.0
// test/model/monitor_word_model.cpp - MON-1: sched/monitor_word.hpp over sched/idle_state.hpp: the
// monitor goes to sleep while a worker makes the only processor busy, or while it is ended. A
// monitor that sleeps beside a busy processor is a deadlock.
#include "sched/monitor_word.hpp"

#include <doctest/doctest.h>

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

constexpr auto relaxed = std::memory_order_relaxed;

enum class mistake { none, looks_first, wakes_first };

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
  detail::basic_monitor_word<Sync> word;
  model::atomic<unsigned> ends{0};
  world() { gate.retire(false); }  // one processor, idle
};
template <class Sync>
using shared = std::shared_ptr<world<Sync>>;

// As monitor::main, until there is something to watch.
template <class Sync>
void watch(const shared<Sync>& w, mistake wrong) {
  const auto all_idle = [&] { return w->gate.idle() == 1 && w->ends.load(relaxed) == 0; };
  while (all_idle()) {
    if (wrong != mistake::looks_first) w->word.begin_sleep();
    while (all_idle()) {
      if (wrong == mistake::looks_first) w->word.begin_sleep();
      if (!w->word.is_asleep()) break;
      w->word.sleep([](auto& word, std::uint32_t one) {
        model::sync::futex_wait(word, one);
        return true;
      });
    }
    w->word.end_sleep();
  }
}

template <class Sync, mistake M = mistake::none>
void busy(execution& x) {
  auto w = std::make_shared<world<Sync>>();
  x.thread("monitor", [=] { watch<Sync>(w, M); });
  x.thread("worker", [=] {
    if (M == mistake::wakes_first) w->word.wake();
    static_cast<void>(w->gate.try_claim_idle());
    if (M != mistake::wakes_first) w->word.wake();
  });
}
// Idle once more, and busy again, for good.
template <class Sync>
void busy_twice(execution& x) {
  auto w = std::make_shared<world<Sync>>();
  x.thread("monitor", [=] { watch<Sync>(w, mistake::none); });
  x.thread("worker", [=] {
    static_cast<void>(w->gate.try_claim_idle());
    w->word.wake();
    w->gate.retire(false);
    static_cast<void>(w->gate.try_claim_idle());
    w->word.wake();
  });
}
template <class Sync>
void ends(execution& x) {
  auto w = std::make_shared<world<Sync>>();
  x.thread("monitor", [=] { watch<Sync>(w, mistake::none); });
  x.thread("end", [=] {
    w->ends.store(1, relaxed);
    w->word.wake();
  });
}

template <class Sync>
void all_hold() {
  holds(busy<Sync>);
  holds(busy_twice<Sync>, model::bounded(4));
  holds(ends<Sync>);
}

}  // namespace

TEST_CASE("MON-1: the monitor does not sleep while a processor is busy, nor over its end") {
  all_hold<model::sync>();
  all_hold<full_fences>();
}
TEST_CASE("MON-1: the order of the steps is needed") {
  CHECK_FALSE(model::explore({}, busy<model::sync, mistake::looks_first>).ok());
  CHECK_FALSE(model::explore({}, busy<model::sync, mistake::wakes_first>).ok());
}
TEST_CASE("MON-1: which orderings are needed") {
  const std::vector<std::string> expected{};
  for (const auto& all :
       {model::mutate({}, {busy<model::sync>, ends<model::sync>}, "/monitor_word."),
        model::mutate({}, {busy<full_fences>, ends<full_fences>}, "/monitor_word.")})
    CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
