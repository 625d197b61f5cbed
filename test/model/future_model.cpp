// SPDX-License-Identifier: BSL-1.0
// test/model/future_model.cpp - weft/detail/provision.hpp: those who could give a future its value,
// and one who waits for it. The event of the future is a flag here: set with release, seen with
// acquire.
#include <weft/detail/provision.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;

struct state {
  detail::basic_provision<model::atomic> provision;
  model::plain<int> value{0};  // or the error
  model::atomic<unsigned> ready{0};
  model::atomic<unsigned> provided{0};
};
using shared = std::shared_ptr<state>;

// As future_state_base::provide; false: another one does.
bool provide(const shared& s, int value) {
  if (!s->provision.begin()) return false;
  s->value = value;
  s->provision.done();
  model::check(s->provided.fetch_add(1, relaxed) == 0, "FUTURE-1: one provides");
  s->ready.store(1, std::memory_order_release);
  return true;
}
// The constructor of the value throws.
void fail(const shared& s) {
  if (!s->provision.begin()) return;
  s->value = -1;
  s->provision.give_back();
}

void wait(const shared& s) {
  while (s->ready.load(std::memory_order_acquire) == 0) model::sync::pause();
  model::check(s->value > 0, "FUTURE-1: a waiter reads what was provided");
}

void two_providers(execution& x) {
  auto s = std::make_shared<state>();
  x.thread("a", [=] { static_cast<void>(provide(s, 1)); });
  x.thread("b", [=] { static_cast<void>(provide(s, 2)); });
  x.thread("waiter", [=] { wait(s); });
  x.finally([=] { model::check(s->provided.load(relaxed) == 1, "FUTURE-1: one provides"); });
}

// An attempt fails while another is made: that one may find the state taken, and tries again.
void one_fails(execution& x) {
  auto s = std::make_shared<state>();
  x.thread("fails", [=] { fail(s); });
  x.thread("provides", [=] {
    while (!provide(s, 2)) model::sync::pause();
  });
  x.thread("waiter", [=] { wait(s); });
}

// A promise that goes away says so, unless it has provided.
void abandoned(execution& x) {
  auto s = std::make_shared<state>();
  x.thread("fails", [=] { fail(s); });
  x.thread("owner", [=] {
    if (!provide(s, 1)) return;
    model::check(!s->provision.is_free(), "FUTURE-1: who has provided breaks no promise");
  });
}

}  // namespace

TEST_CASE("FUTURE-1: one provider gives the value, and waiters see all of it") {
  holds(two_providers, model::bounded(3));
  holds(one_fails, model::bounded(3));
  holds(abandoned);
}

TEST_CASE("FUTURE-1: which orderings are needed") {
  const auto all = model::mutate(model::bounded(2), {two_providers, one_fails}, "/provision.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
