// SPDX-License-Identifier: BSL-1.0
// test/model/stack_trim_model.cpp - TRIM-1 of fiber/stack_trim.hpp: whoever gives stacks back, the
// monitors of two runtimes, the trimmer that has the claim. An excess for which nobody has the
// claim, and which nobody is asked to see to, stays for ever.
#include "fiber/stack_trim.hpp"

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
  basic_trim_claim<model::sync> claim;
  // The pool: how many are idle beyond those that stay warm. Under its lock.
  model::atomic<std::uint32_t> lock{0};
  model::plain<int> excess{0};
  model::plain<int> periods{0};           // what trim_stacks keeps from call to call
  model::atomic<std::uint32_t> ended{0};  // the trimmer's service thread, which waits for no claim

  template <class F>
  auto locked(F&& f) {
    std::uint32_t free = 0;
    while (!lock.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
      free = 0;
      model::sync::pause();
    }
    auto result = f();
    lock.store(0, std::memory_order_release);
    return result;
  }
  bool any_excess() {
    return locked([&] { return excess > 0; });
  }
};
using shared = std::shared_ptr<world>;

void give_back(const shared& w) {
  w->locked([&] { return w->excess = w->excess + 1, 0; });
  w->claim.want();
}

// As trim_stacks, period after period, in one.
void serve(const shared& w) {
  do {
    w->periods = w->periods + 1;
    w->locked([&] { return w->excess = 0, 0; });
  } while (!w->claim.end([&] { return w->any_excess(); }));
}

void is_seen_to(const shared& w) {
  if (!w->any_excess()) return;
  model::check(w->claim.claim(), "TRIM-1: an excess is wanted, or somebody is at it");
}

void giver_and_trimmer(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("giver", [=] { give_back(w); });
  x.thread("trimmer", [=] {
    w->claim.want();
    if (w->claim.claim()) serve(w);
  });
  x.finally([=] { is_seen_to(w); });
}

void two_monitors(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("giver", [=] {
    give_back(w);
    give_back(w);
  });
  for (const char* name : {"first", "second"})
    x.thread(name, [=] {
      if (w->claim.claim()) serve(w);
    });
  x.finally([=] { is_seen_to(w); });
}

// A runtime ends with the claim in hand.
void given_back(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("giver", [=] {
    give_back(w);
    if (!w->claim.claim()) return;
    w->periods = w->periods + 1;
    w->claim.unclaim();
  });
  x.thread("other", [=] {
    if (w->claim.claim()) serve(w);
  });
  x.finally([=] { is_seen_to(w); });
}

}  // namespace

TEST_CASE("TRIM-1: what is given back while the trimmer ends is seen to") {
  holds(giver_and_trimmer);
}
TEST_CASE("TRIM-1: one monitor has the claim") { holds(two_monitors, model::switches); }
TEST_CASE("TRIM-1: a runtime that ends gives its claim back") { holds(given_back); }

TEST_CASE("known mistake: the trimmer looks before it lets go") {
  const auto end = model::explore({}, [](execution& x) {
                     auto w = std::make_shared<world>();
                     x.thread("giver", [=] { give_back(w); });
                     x.thread("trimmer", [=] {
                       w->claim.want();
                       if (!w->claim.claim()) return;
                       w->locked([&] { return w->excess = 0, 0; });
                       if (!w->any_excess()) static_cast<void>(w->claim.end([] { return false; }));
                     });
                     x.finally([=] { is_seen_to(w); });
                   }).end;
  CHECK(end == model::verdict::violated);
}

TEST_CASE("TRIM-1: which orderings are needed") {
  const auto all = model::mutate(model::bounded(model::switches),
                                 {giver_and_trimmer, two_monitors, given_back}, "/stack_trim.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
