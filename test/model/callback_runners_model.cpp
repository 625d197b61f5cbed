// SPDX-License-Identifier: BSL-1.0
// test/model/callback_runners_model.cpp - sched/callback_runners.hpp: fibers that run
// std::stop_callbacks, and fibers that ask whether they do. CB-1 relies on the answer: a fiber that
// missed itself would wait in a callback.
#include "sched/callback_runners.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

struct fiber {};
using runners = detail::basic_callback_runners<model::sync, model::spin_lock, fiber>;
struct world {
  runners all;
  fiber fibers[3];
};
using shared = std::shared_ptr<world>;

void run_callbacks(const shared& w, int n) {
  fiber& self = w->fibers[n];
  model::check(!w->all.has(self), "CB-1: who runs none may wait");
  runners::runner me;
  w->all.add(me, self);
  model::check(w->all.has(self), "CB-1: who runs callbacks knows it");
  w->all.remove(me);
  model::check(!w->all.has(self), "CB-1: and may wait afterwards");
}

void two_run(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("a", [=] { run_callbacks(w, 0); });
  x.thread("b", [=] { run_callbacks(w, 1); });
}

void one_runs_another_asks(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("a", [=] { run_callbacks(w, 0); });
  x.thread("b", [=] { run_callbacks(w, 1); });
  x.thread("asks", [=] { model::check(!w->all.has(w->fibers[2]), "CB-1: it runs none"); });
}

// A callback of one stop request makes another.
void nested(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("a", [=] {
    fiber& self = w->fibers[0];
    runners::runner outer;
    w->all.add(outer, self);
    {
      runners::runner inner;
      w->all.add(inner, self);
      model::check(w->all.has(self), "CB-1: inside both");
      w->all.remove(inner);
    }
    model::check(w->all.has(self), "CB-1: still inside the outer one");
    w->all.remove(outer);
  });
  x.thread("b", [=] { run_callbacks(w, 1); });
}

}  // namespace

TEST_CASE("CB-1: a fiber knows whether it runs stop callbacks") {
  holds(two_run, model::bounded(3));
  holds(nested, model::bounded(2));
  holds(one_runs_another_asks, model::bounded(1));
}

TEST_CASE("CB-1: the lock orders everything") {
  const auto all = model::mutate(model::bounded(1), {two_run, nested, one_runs_another_asks},
                                 "/callback_runners.hpp");
  CHECK_MESSAGE(all.empty(), model::list(all));
}
