// SPDX-License-Identifier: BSL-1.0
// test/model/left_behind_model.cpp - LEFT-1: a runtime ends without a fiber (sched/shutdown.cpp)
// that is about to park, or parked, while somebody has something to give it and somebody joins it.
// Left behind, it takes nothing any more; whoever joins it is told.
#include "fiber/fiber_word.hpp"
#include "fiber/join_word.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using namespace weft::detail;
using model::execution;
using model::holds;

namespace {

constexpr auto seq_cst = std::memory_order_seq_cst;
using join = basic_join_word<model::sync>;
constexpr join::ticket_bits a_joiner = 77;

struct world {
  basic_fiber_word<model::sync> word;
  join joins;
  model::atomic<std::uint32_t> left{0};  // stragglers_left_
  model::atomic<std::uint32_t> told{0};  // whoever joins
  model::atomic<epoch_t> ticket{0};
  model::atomic<std::uint32_t> passed_on{0};
  bool resumed = false, given = false, accepted = false;
};
using shared = std::shared_ptr<world>;

// scheduler::leave_behind, of this one record
void leave_behind(const shared& w) {
  w->word.leave_behind();
  if (w->word.take_back_wake()) w->passed_on.fetch_add(1, std::memory_order_relaxed);
  if (w->joins.leave_behind() == a_joiner) w->told.store(1, std::memory_order_release);
}

// Its thread, at the end of the loop: it has left the stack, and looks whether the runtime is gone.
void park(const shared& w) {
  w->word.set(fiber_state::running);
  const epoch_t e = w->word.begin_park(stoppable::no);
  w->ticket.store(e, std::memory_order_release);
  // Woken before it had left its stack: it is queued, and nobody takes it from there.
  if (w->word.commit([] { return false; }) == commit_duty::enqueue) w->resumed = true;
  model::sync::fence(seq_cst);                      // [LEFT-1] worker_main
  if (w->left.load(seq_cst) != 0) leave_behind(w);  // [LEFT-1]
}

void shut_down(const shared& w) {
  w->left.store(1, seq_cst);  // [LEFT-1]
  leave_behind(w);
}

void takes_nothing_more(const shared& w) {
  model::check(
      w->word.wake(w->ticket.load(std::memory_order_relaxed), wake_code::ready) == wake_duty::stale,
      "LEFT-1: what comes after the end is refused");
  model::check(w->passed_on.load(std::memory_order_relaxed) == (w->given ? 1 : 0),
               "LEFT-1: what it was given goes on, once");
  if (w->accepted)
    model::check(w->told.load(std::memory_order_relaxed) == 1, "LEFT-1: who joins is told");
  model::check(!w->joins.wait_on(a_joiner), "LEFT-1: nobody may wait for it any more");
}

void straggler(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("thread", [=] { park(w); });
  x.thread("shutdown", [=] { shut_down(w); });
  x.finally([=] { takes_nothing_more(w); });
}

void with_giver(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("thread", [=] { park(w); });
  x.thread("shutdown", [=] { shut_down(w); });
  x.thread("giver", [=] {
    const epoch_t e = w->ticket.load(std::memory_order_acquire);
    w->given = e != 0 && w->word.wake(e, wake_code::ready) != wake_duty::stale;
  });
  x.finally([=] { takes_nothing_more(w); });
}

void with_joiner(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("thread", [=] { park(w); });
  x.thread("shutdown", [=] { shut_down(w); });
  x.thread("joiner", [=] {
    w->accepted = w->joins.wait_on(a_joiner);
    if (!w->accepted) return;
    while (w->told.load(std::memory_order_acquire) == 0) model::sync::pause();
  });
  x.finally([=] { takes_nothing_more(w); });
}

}  // namespace

TEST_CASE("LEFT-1: one that parks while its runtime ends is left behind") { holds(straggler); }
TEST_CASE("LEFT-1: it takes what came before the end, or leaves it to the next") {
  holds(with_giver, model::switches);
}
TEST_CASE("LEFT-1: whoever joins it is told, or not let in") {
  holds(with_joiner, model::switches);
}

TEST_CASE("known mistake: its thread does not look whether the runtime has gone") {
  const auto end =
      model::explore({}, [](execution& x) {
        auto w = std::make_shared<world>();
        x.thread("thread", [=] {
          w->word.set(fiber_state::running);
          w->ticket.store(w->word.begin_park(stoppable::no), std::memory_order_release);
          static_cast<void>(w->word.commit([] { return false; }));
        });
        x.thread("shutdown", [=] { shut_down(w); });
        x.finally([=] { takes_nothing_more(w); });
      }).end;
  CHECK(end == model::verdict::violated);
}
