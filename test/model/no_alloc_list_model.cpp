// SPDX-License-Identifier: BSL-1.0
// test/model/no_alloc_list_model.cpp - LOST-1: fibers that find no room and no memory, on the list
// that needs none (sched/no_alloc_list.hpp), against the worker that takes it whole, and that goes
// to sleep when its count says there is nothing (IDLE-1). A fiber that stays on it is a worker that
// sleeps for ever.
#include "sched/no_alloc_list.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "base/parker.hpp"
#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using namespace weft::detail;
using model::execution;
using model::holds;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto seq_cst = std::memory_order_seq_cst;

struct fiber {
  fiber* link = nullptr;
  model::plain<int> given{0};  // what its waker wrote
  int from = 0, nth = 0;
};

enum class counts { after_the_push, before_it };

struct world {
  model::atomic<fiber*> list{nullptr};
  model::atomic<std::int64_t> size{0};
  model::atomic<std::uint32_t> idle{0};
  base::basic_parker<model::sync> parker;
  fiber fibers[2][2];
};
using shared = std::shared_ptr<world>;

void push(const shared& w, int from, int nth) {
  fiber& f = w->fibers[from][nth];
  f.from = from;
  f.nth = nth;
  f.given = 1;
  push_without_memory(w->list, f);
  w->size.fetch_add(1, seq_cst);  // [IDLE-1]
  model::sync::light_fence();
  if (w->idle.load(relaxed) != 0) w->parker.unpark();
}

// bring_late, find and retire of one worker, until it has run `all`.
void work(const shared& w, int all) {
  int next[2] = {0, 0};
  while (all > 0) {
    if (w->size.load(relaxed) > 0) {
      for (fiber* f = take_all<fiber>(w->list); f != nullptr; f = f->link) {
        model::check(f->given == 1, "LOST-1: what was written before the push is seen");
        model::check(f->nth == next[f->from]++, "LOST-1: in the order they came");
        w->size.fetch_sub(1, relaxed);
        --all;
      }
      continue;
    }
    w->idle.store(1, relaxed);
    model::sync::heavy_fence();
    if (w->size.load(seq_cst) <= 0) w->parker.park();
    w->idle.store(0, relaxed);
  }
}

void one_pusher(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("pusher", [=] {
    push(w, 0, 0);
    push(w, 0, 1);
  });
  x.thread("worker", [=] { work(w, 2); });
}

void two_pushers(execution& x) {
  auto w = std::make_shared<world>();
  for (const int from : {0, 1}) x.thread(from == 0 ? "one" : "other", [=] { push(w, from, 0); });
  x.thread("worker", [=] { work(w, 2); });
}

}  // namespace

TEST_CASE("LOST-1: of one pusher nothing is lost, and the order is kept") { holds(one_pusher, 4); }
TEST_CASE("LOST-1: of two pushers nothing is lost") { holds(two_pushers, model::bounded(2)); }

TEST_CASE("LOST-1: which orderings are needed") {
  const auto all =
      model::mutate(model::bounded(2), {one_pusher, two_pushers}, "/no_alloc_list.hpp");
  CHECK_MESSAGE(model::survivors(all).empty(), model::list(all));
}
