// SPDX-License-Identifier: BSL-1.0
// test/model/signal_inbox_model.cpp - net/signal_inbox.hpp: handlers against takers. The eventfd is
// as the kernel has it, under a lock: read-modify-writes. A signal that is left in an inbox is a
// deadlock: its taker sleeps until the eventfd is readable.
#include "net/signal_inbox.hpp"

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

constexpr auto acq_rel = std::memory_order_acq_rel;

struct model_event {
  model::atomic<unsigned> readable{0};
  void announce() { readable.exchange(1, acq_rel); }
  void empty() { readable.exchange(0, acq_rel); }
  void wait() {
    while (readable.load(std::memory_order_acquire) == 0) model::sync::pause();
  }
};

struct world {
  detail::basic_signal_inbox<model::sync, model_event> box;
  model::plain<int> told[3]{0, 0, 0};  // what came before signal 1, 2, 3
  model::atomic<unsigned> taken[3]{};
};
using shared = std::shared_ptr<world>;

void post(const shared& w, int signal) {
  w->told[signal - 1] = 1;
  w->box.post(std::uint64_t{1} << (signal - 1));
}

// As signal_set::take in a loop.
int take(const shared& w) {
  for (;;) {
    if (const auto signal = w->box.take()) {
      model::check(w->told[*signal - 1] == 1, "a signal brings along what came before it");
      model::check(w->taken[*signal - 1].fetch_add(1, acq_rel) == 0, "a signal is taken once");
      return *signal;
    }
    w->box.event.wait();
  }
}

void two_signals(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] { post(w, 1); });
  x.thread("second", [=] { post(w, 2); });
  x.thread("taker", [=] {
    take(w);
    take(w);
  });
}

void two_takers(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] {
    post(w, 2);
    post(w, 1);
  });
  x.thread("taker", [=] { take(w); });
  x.thread("second", [=] { take(w); });
}

// A signal that comes again before it was taken is one.
void again_and_again(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] {
    w->box.post(1);
    w->box.post(1);
  });
  x.thread("taker", [=] {
    while (!w->box.take()) w->box.event.wait();
    if (w->box.take()) model::check(!w->box.take(), "it is there twice at most");
  });
}

// The mistakes that the order of steps prevents.
void emptied_after_the_look(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] { post(w, 1); });
  x.thread("taker", [=] {
    while (w->box.pending.exchange(0, acq_rel) == 0) {
      w->box.event.empty();
      w->box.event.wait();
    }
  });
}
void announced_before_the_bit(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] {
    w->box.event.announce();
    w->box.pending.fetch_or(1, acq_rel);
  });
  x.thread("taker", [=] {
    while (!w->box.take()) w->box.event.wait();
  });
}

}  // namespace

TEST_CASE("SIGSET-1: a signal is not left in an inbox") {
  holds(two_signals);
  holds(two_takers, model::bounded(2));
  holds(again_and_again, model::bounded(3));
}

TEST_CASE("SIGSET-1: the order of bit and eventfd is needed") {
  CHECK(model::explore({}, emptied_after_the_look).end == model::verdict::deadlocked);
  CHECK(model::explore({}, announced_before_the_bit).end == model::verdict::deadlocked);
}

TEST_CASE("SIGSET: which orderings are needed") {
  const auto all = model::mutate(model::bounded(2), {two_signals}, "/signal_inbox.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
