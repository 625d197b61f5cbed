// SPDX-License-Identifier: BSL-1.0
// test/model/signal_chain_model.cpp - os/signal_chain.hpp: signals that come while handlers are
// added, taken out, and added again in front of another action. The kernel's table of actions is a
// word: its lock orders sigaction(2) and the delivery. Handlers and actions are plain memory.
#include "os/signal_chain.hpp"

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

enum class takes { none, all };
struct handler {
  model::plain<int> needs{0};
  takes what = takes::none;
};
struct action {
  model::plain<int> handler{0}, flags{0};  // whole: equal, and not 0
};
using chain = os::basic_signal_chain<model::sync, handler*, action>;

constexpr int ours = 0;  // else: the user's action of that number
struct world {
  chain of;
  handler handlers[2];
  action behind[2];
  model::atomic<int> installed{1};
};
using shared = std::shared_ptr<world>;

enum class how { new_action, in_place };

// As install_signal_handler; the action behind is a new one, made now.
void install(const shared& w, handler& h, action& behind, int user) {
  h.needs = 1;
  behind.handler = user;
  behind.flags = user;
  w->of.put_behind(behind);
  w->of.add(&h);
  w->installed.exchange(ours, std::memory_order_acq_rel);
}
void add(const shared& w, handler& h) {
  h.needs = 1;
  w->of.add(&h);
}
void restore(const shared& w, int user) {
  w->installed.exchange(user, std::memory_order_acq_rel);
  w->of.clear();
}

void deliver(const shared& w) {
  if (w->installed.load(std::memory_order_acquire) != ours) return;
  if (w->of.ask([](handler* h) {
        model::check(h->needs == 1, "SIG-1: a handler is found as it was when it was added");
        return h->what == takes::all;
      }))
    return;
  const action* const behind = w->of.behind();
  model::check(behind != nullptr, "SIG-1: there is an action behind the handlers");
  const int h = behind->handler;
  model::check(h != 0 && h == behind->flags, "SIG-1: the action is whole");
}
void deliver_twice(const shared& w) {
  deliver(w);
  deliver(w);
}

void installs_two(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("installs", [=] {
    install(w, w->handlers[0], w->behind[0], 1);
    add(w, w->handlers[1]);
  });
  x.thread("signal", [=] { deliver_twice(w); });
}
// Taken out, and installed again when the user has installed another action.
template <how H>
void installs_again(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("installs", [=] {
    install(w, w->handlers[0], w->behind[0], 1);
    restore(w, 1);
    w->installed.exchange(2, std::memory_order_acq_rel);
    install(w, w->handlers[1], w->behind[H == how::new_action ? 1 : 0], 2);
  });
  x.thread("signal", [=] { deliver_twice(w); });
}
// The first one takes it.
void taken(execution& x) {
  auto w = std::make_shared<world>();
  w->handlers[0].what = takes::all;
  x.thread("installs", [=] { install(w, w->handlers[0], w->behind[0], 1); });
  x.thread("signal", [=] { deliver_twice(w); });
}

// An action that is there for one delivery, and two deliveries.
void only_once(execution& x) {
  struct scene {
    world w;
    model::atomic<int> got{0};
  };
  auto s = std::make_shared<scene>();
  s->w.of.put_behind(s->w.behind[0]);
  for (const char* name : {"signal", "another"})
    x.thread(name, [=] {
      const action* const first = &s->w.behind[0];
      const action* const behind = s->w.of.behind();
      if (behind == first && s->w.of.replace_behind(*behind, s->w.behind[1]))
        s->got.fetch_add(1, std::memory_order_relaxed);
      else
        model::check(s->w.of.behind() == &s->w.behind[1], "SIG-1: the other one is behind");
    });
  x.finally(
      [=] { model::check(s->got.load(std::memory_order_relaxed) == 1, "SIG-1: one has it"); });
}

}  // namespace

TEST_CASE("SIG-1: a dispatch finds whole handlers, and a whole action behind them") {
  holds(installs_two);
  holds(installs_again<how::new_action>);
  holds(taken);
  holds(only_once);
}
TEST_CASE("SIG-1: an action is not overwritten in place") {
  CHECK(model::explore({}, installs_again<how::in_place>).end == model::verdict::raced);
}
TEST_CASE("SIG-1: which orderings are needed") {
  const auto all =
      model::mutate({}, {installs_two, installs_again<how::new_action>}, "/signal_chain.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
