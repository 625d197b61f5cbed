// SPDX-License-Identifier: BSL-1.0
// test/model/mistakes_model.cpp - known-broken algorithms the explorer must catch, by every way of
// searching.
#include "model/explorer.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/sync.hpp"

using namespace weft;
using model::execution;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto seq_cst = std::memory_order_seq_cst;

}  // namespace

namespace {

// Dekker's entry: at most one of two gets in.
template <class Sync>
void dekker(execution& x) {
  struct state {
    typename Sync::template atomic<int> left{0}, right{0};
    typename Sync::template plain<int> inside{0};
  };
  auto s = std::make_shared<state>();
  x.thread("left", [=] {
    s->left.store(1, relaxed);
    Sync::fence(seq_cst);
    if (s->right.load(relaxed) == 0) s->inside = 1;
  });
  x.thread("right", [=] {
    s->right.store(1, relaxed);
    Sync::fence(seq_cst);
    if (s->left.load(relaxed) == 0) s->inside = 2;
  });
}

// A sleeper looks for work after announcing itself; a submitter looks for sleepers after
// publishing.
template <class Sync>
void sleep_and_submit(execution& x) {
  struct state {
    typename Sync::template atomic<unsigned> work{0}, sleeping{0}, word{0};
  };
  auto s = std::make_shared<state>();
  x.thread("sleeper", [=] {
    s->sleeping.store(1, relaxed);
    Sync::heavy_fence();
    if (s->work.load(relaxed) == 0) s->word.futex_wait(0);
  });
  x.thread("submitter", [=] {
    s->work.store(1, relaxed);
    Sync::light_fence();
    if (s->sleeping.load(relaxed) != 0) {
      s->word.store(1, relaxed);
      s->word.futex_wake(1);
    }
  });
}

}  // namespace

TEST_CASE("known mistakes: Dekker without its fences") {
  const auto good = model::explore({}, dekker<model::sync>);
  CHECK_MESSAGE(good.ok(), good.report);
  CHECK(model::explore({}, dekker<model::no_fence_sync>).end == model::verdict::raced);
  const auto mutants = model::mutate({}, {dekker<model::sync>}, "mistakes_model.cpp");
  CHECK_MESSAGE(mutants.size() == 4, model::list(mutants));  // two fences: removed, made acq_rel
  for (const auto& m : mutants) CHECK_MESSAGE(m.caught(), model::list(mutants));
}

TEST_CASE("known mistakes: a lost wake-up") {
  const auto good = model::explore({}, sleep_and_submit<model::sync>);
  CHECK_MESSAGE(good.ok(), good.report);
  CHECK(model::explore({}, sleep_and_submit<model::no_heavy_fence_sync>).end ==
        model::verdict::deadlocked);
  CHECK(model::explore({}, sleep_and_submit<model::local_heavy_fence_sync>).end ==
        model::verdict::deadlocked);
}

TEST_CASE("random walks find the same mistakes and say their seed") {
  model::options walk;
  walk.random_executions = 2000;
  walk.seed = 7;
  const auto r = model::explore(walk, dekker<model::no_fence_sync>);
  CHECK(r.end == model::verdict::raced);
  CHECK(r.report.find("seed 7") != std::string::npos);
  CHECK(model::explore(walk, dekker<model::sync>).ok());
}

TEST_CASE("bounded preemptions: none misses what one finds") {
  struct state {
    model::atomic<int> x{0};
  };
  const auto lost_update = [](execution& x) {
    auto s = std::make_shared<state>();
    for (int t = 0; t < 2; ++t)
      x.thread("adder", [=] {
        const int seen = s->x.load(seq_cst);
        s->x.store(seen + 1, seq_cst);
      });
    x.finally([=] { model::check(s->x.load(relaxed) == 2, "two increments"); });
  };
  model::options bounded;
  bounded.preemptions = 0;
  CHECK(model::explore(bounded, lost_update).ok());
  bounded.preemptions = 1;
  CHECK(model::explore(bounded, lost_update).end == model::verdict::violated);
}
