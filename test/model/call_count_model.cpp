// SPDX-License-Identifier: BSL-1.0
// test/model/call_count_model.cpp - SERVICE-1 of sched/wake_word.hpp: the monitor and handlers that
// ask for something, against the service thread. A question that is not heard is a deadlock: its
// thread sleeps on the count.
#include "sched/wake_word.hpp"

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

struct world {
  detail::basic_call_count<model::sync> calls;
  model::atomic<unsigned> asked{0};  // a bit each
};
using shared = std::shared_ptr<world>;

void ask(const shared& w, unsigned bit) {
  w->asked.fetch_or(bit, relaxed);
  w->calls.ring();
}
// As service_thread::main, until it has heard all.
void serve(const shared& w, unsigned all) {
  for (unsigned heard = 0;;) {
    const std::uint32_t count = w->calls.hear();
    // Read first: a turn writes only where something is asked.
    const unsigned now = w->asked.load(relaxed);
    heard |= now;
    if (heard == all) return;
    w->calls.sleep(count,
                   [](auto& word, std::uint32_t value) { model::sync::futex_wait(word, value); });
  }
}

void one_asks(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("asker", [=] { ask(w, 1); });
  x.thread("service", [=] { serve(w, 1); });
}
void two_ask(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("asker", [=] { ask(w, 1); });
  x.thread("second", [=] { ask(w, 2); });
  x.thread("service", [=] { serve(w, 3); });
}
void one_asks_twice(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("asker", [=] {
    ask(w, 1);
    ask(w, 2);
  });
  x.thread("service", [=] { serve(w, 3); });
}

// The mistakes that the order of steps prevents.
void rings_first(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("asker", [=] {
    w->calls.ring();
    w->asked.fetch_or(1, relaxed);
  });
  x.thread("service", [=] { serve(w, 1); });
}
void counts_after_the_look(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("asker", [=] { ask(w, 1); });
  x.thread("service", [=] {
    while (w->asked.load(relaxed) == 0)
      w->calls.sleep(w->calls.hear(),
                     [](auto& word, std::uint32_t value) { model::sync::futex_wait(word, value); });
  });
}

}  // namespace

TEST_CASE("SERVICE-1: what is asked is heard") {
  holds(one_asks);
  holds(two_ask);
  holds(one_asks_twice);
}
TEST_CASE("SERVICE-1: the order of question and count is needed") {
  CHECK(model::explore({}, rings_first).end == model::verdict::deadlocked);
  CHECK(model::explore({}, counts_after_the_look).end == model::verdict::deadlocked);
}
TEST_CASE("SERVICE-1: which orderings are needed") {
  const auto all = model::mutate({}, {one_asks, two_ask, one_asks_twice}, "/wake_word.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
