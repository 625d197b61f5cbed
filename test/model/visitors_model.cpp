// SPDX-License-Identifier: BSL-1.0
// test/model/visitors_model.cpp - LIFE-7 of sched/visitors.hpp: threads of others make a runtime's
// last fibers runnable, and wake a worker; the fibers end, and the runtime's memory goes.
#include "sched/visitors.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using namespace weft::detail;
using model::execution;
using model::holds;

namespace {

struct world {
  basic_visitors<model::sync> visitors;
  model::atomic<int> runnable{0};  // as the inject queue: release, acquire
  model::atomic<int> ended{0};     // as the counts of ends: release, acquire
  model::plain<int> memory{0};     // the runtime's
};
using shared = std::shared_ptr<world>;

void visit(const shared& w) {
  w->visitors.enter();
  w->runnable.fetch_add(1, std::memory_order_release);
  static_cast<void>(static_cast<int>(w->memory));  // wake_one_if_needed
  w->visitors.leave();
}
void run_fibers(const shared& w, int n) {
  int ran = 0;
  while (ran < n) {
    const int seen = w->runnable.load(std::memory_order_acquire);
    if (seen == ran) model::sync::pause();
    for (; ran < seen; ++ran) w->ended.fetch_add(1, std::memory_order_release);
  }
}
void end(const shared& w, int n) {
  while (w->ended.load(std::memory_order_acquire) != n) model::sync::pause();
  w->visitors.wait_for_none([] { model::sync::pause(); });
  w->memory = 1;
}

template <int N>
void visitors_and_end(execution& x) {
  auto w = std::make_shared<world>();
  for (int i = 0; i < N; ++i) x.thread("visitor", [=] { visit(w); });
  x.thread("worker", [=] { run_fibers(w, N); });
  x.thread("end", [=] { end(w, N); });
}

}  // namespace

TEST_CASE("LIFE-7: the runtime's memory goes when no visitor is inside") {
  holds(visitors_and_end<1>);
  holds(visitors_and_end<2>, model::bounded(2));
}

TEST_CASE("LIFE-7: which orderings are needed") {
  const auto all = model::mutate(model::bounded(3), {visitors_and_end<1>}, "/visitors.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}

TEST_CASE("known mistake: the fiber is made runnable before the visitor has entered") {
  const auto end_of_it = model::explore(model::bounded(3), [](execution& x) {
                           auto w = std::make_shared<world>();
                           x.thread("visitor", [=] {
                             w->runnable.fetch_add(1, std::memory_order_release);
                             w->visitors.enter();
                             static_cast<void>(static_cast<int>(w->memory));
                             w->visitors.leave();
                           });
                           x.thread("worker", [=] { run_fibers(w, 1); });
                           x.thread("end", [=] { end(w, 1); });
                         }).end;
  CHECK(end_of_it == model::verdict::raced);
}
