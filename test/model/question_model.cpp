// SPDX-License-Identifier: BSL-1.0
// test/model/question_model.cpp - SERVICE-3 of watch/question.hpp: the monitor asks, and before it
// sleeps it must have the answer. The answer is plain memory: a monitor that sleeps without it
// reads it too early, which is a race, or finds nothing.
#include "watch/question.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"
#include "sched/wake_word.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

enum class mistake { none, work_is_looked_at_first, taken_before_the_work };

struct world {
  detail::basic_call_count<model::sync> calls;
  detail::basic_question<model::sync> asked;
  detail::basic_service_turn<model::sync> turn;
  model::plain<int> answer{0};
};
using shared = std::shared_ptr<world>;

// As service_thread::main.
void serve(const shared& w, mistake wrong) {
  for (;;) {
    const std::uint32_t heard = w->calls.hear();
    bool taken = false;
    if (wrong == mistake::taken_before_the_work) taken = w->asked.take();
    w->turn.begin(1);
    if (wrong != mistake::taken_before_the_work) taken = w->asked.take();
    if (taken) w->answer = w->answer + 1;
    w->turn.end();
    w->calls.sleep(heard,
                   [](auto& word, std::uint32_t value) { model::sync::futex_wait(word, value); });
  }
}
// As monitor::may_sleep.
bool may_sleep(const shared& w, mistake wrong) {
  if (wrong == mistake::work_is_looked_at_first) return !w->turn.is_on() && !w->asked.is_open();
  return !w->asked.is_open() && !w->turn.is_on();
}
template <int Questions, mistake M = mistake::none>
void asks(execution& x) {
  auto w = std::make_shared<world>();
  x.daemon("service", [=] { serve(w, M); });
  x.thread("monitor", [=] {
    for (int i = 1; i <= Questions; ++i) {
      w->asked.ask();
      w->calls.ring();
      while (!may_sleep(w, M)) model::sync::pause();
      model::check(w->answer == i, "SERVICE-3: it sleeps with the answer");
    }
  });
}
// It looks for how long the service thread is at work, too: that does not end the turn.
void looks_at_the_time(execution& x) {
  auto w = std::make_shared<world>();
  x.daemon("service", [=] { serve(w, mistake::none); });
  x.thread("monitor", [=] {
    w->asked.ask();
    w->calls.ring();
    static_cast<void>(w->turn.has_lasted(1, 3));
    while (!may_sleep(w, mistake::none)) model::sync::pause();
    model::check(w->answer == 1, "SERVICE-3: it sleeps with the answer");
  });
}

}  // namespace

TEST_CASE("SERVICE-3: the monitor does not sleep over a question") {
  holds(asks<1>);
  holds(asks<2>, model::bounded(4));
  holds(looks_at_the_time);
}
TEST_CASE("SERVICE-3: the order of the looks, and of the steps, is needed") {
  CHECK_FALSE(model::explore({}, asks<1, mistake::work_is_looked_at_first>).ok());
  CHECK_FALSE(model::explore({}, asks<1, mistake::taken_before_the_work>).ok());
}
TEST_CASE("SERVICE-3: which orderings are needed") {
  const auto all = model::mutate({}, {asks<1>, asks<2>}, "/question.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
