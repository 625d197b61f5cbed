// SPDX-License-Identifier: BSL-1.0
// test/model/wake_word_model.cpp - WAKEWORD-1 and 2 of sched/wake_word.hpp: handlers that ring
// every wake word, against runtimes that begin and end. A question that no service thread finds is
// a deadlock: the thread sleeps on its count.
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

using words = detail::basic_wake_words<model::sync>;

struct world {
  words all;
  std::unique_ptr<words::word> made[3];  // by thread
  model::atomic<unsigned> asked{0};      // a bit each
};
using shared = std::shared_ptr<world>;

words::word& begin_runtime(const shared& w, int thread) {
  return w->all.take([&] {
    w->made[thread] = std::make_unique<words::word>();
    return w->made[thread].get();
  });
}
// As service_thread::main, until it has found all.
void serve(const shared& w, words::word& mine, unsigned all) {
  for (unsigned found = 0;;) {
    const std::uint32_t count = mine.hear();
    found |= w->asked.load(relaxed);
    if (found == all) return;
    mine.sleep(count,
               [](auto& word, std::uint32_t value) { model::sync::futex_wait(word, value); });
  }
}
void handle(const shared& w, unsigned bit) {
  w->asked.fetch_or(bit, relaxed);
  w->all.ring_all();
}

// A handler against a runtime that begins.
void begins(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] { handle(w, 1); });
  x.thread("service", [=] { serve(w, begin_runtime(w, 0), 1); });
}
// It takes over the word of one that has ended, or makes its own.
void takes_over(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("before", [=] { words::give_back(begin_runtime(w, 1)); });
  x.thread("handler", [=] { handle(w, 1); });
  x.thread("service", [=] { serve(w, begin_runtime(w, 0), 1); });
}
// That one had it from another.
void taken_over_twice(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] { handle(w, 1); });
  for (const int i : {1, 2}) x.thread("before", [=] { words::give_back(begin_runtime(w, i)); });
  x.thread("service", [=] { serve(w, begin_runtime(w, 0), 1); });
}
// Two runtimes begin at once: each finds the question, or is rung.
void two_begin(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] { handle(w, 1); });
  for (const int i : {0, 1}) x.thread("service", [=] { serve(w, begin_runtime(w, i), 1); });
  x.finally([=] { model::check(w->made[0] && w->made[1], "WAKEWORD-1: each has its own"); });
}
void two_handlers(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] { handle(w, 1); });
  x.thread("second", [=] { handle(w, 2); });
  x.thread("service", [=] { serve(w, begin_runtime(w, 0), 3); });
}

// The mistakes that the order of steps prevents.
void rings_first(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] {
    w->all.ring_all();
    w->asked.fetch_or(1, relaxed);
  });
  x.thread("service", [=] { serve(w, begin_runtime(w, 0), 1); });
}
void begins_after_the_first_turn(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] { handle(w, 1); });
  x.thread("service", [=] {
    if (w->asked.load(relaxed) != 0) return;
    words::word& mine = begin_runtime(w, 0);
    mine.sleep(mine.hear(),
               [](auto& word, std::uint32_t value) { model::sync::futex_wait(word, value); });
  });
}

}  // namespace

TEST_CASE("WAKEWORD-1, WAKEWORD-2: what a handler asks is found, whatever runtimes begin or end") {
  holds(begins);
  holds(takes_over, model::bounded(2));
  holds(taken_over_twice, model::bounded(1));
  holds(two_begin, model::bounded(1));
  holds(two_handlers, model::bounded(3));
}
TEST_CASE("WAKEWORD-2: the order of question, word and first turn is needed") {
  CHECK(model::explore({}, rings_first).end == model::verdict::deadlocked);
  CHECK(model::explore({}, begins_after_the_first_turn).end == model::verdict::deadlocked);
}
TEST_CASE("WAKEWORD-1, WAKEWORD-2: which orderings are needed") {
  const auto all =
      model::mutate(model::bounded(1), {begins, takes_over, taken_over_twice}, "/wake_word.hpp");
  // A ring after the fence needs no order of its own; the monitor's needs it: SERVICE-1.
  const std::vector<std::string> expected{"rmw release made relaxed"};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
