// SPDX-License-Identifier: BSL-1.0
// test/model/stop_listener_model.cpp - fiber/stop_listener.hpp: a joiner that runs children on its
// stack, against stop requests. A request that is not heard is a deadlock: the child waits for it.
#include "fiber/stop_listener.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;

using listener = detail::basic_stop_listener<model::sync>;

// A scope: what its listener touches, and what goes with it.
struct scope : listener {
  explicit scope(model::atomic<unsigned>& h)
      : listener([](listener& l) noexcept { static_cast<scope&>(l).stop(); }), heard(h) {}
  void stop() {
    static_cast<void>(static_cast<int>(memory));
    heard.store(1, relaxed);
  }
  model::atomic<unsigned>& heard;
  model::plain<int> memory{1};
};
struct world {
  model::spin_lock lock;  // the fiber's
  listener::flag requested{false};
  listener::slot on_stop{nullptr};
  model::atomic<unsigned> heard[2]{};
};
using shared = std::shared_ptr<world>;

enum class mistake { none, tells_without_a_pin, leaves_without_the_lock };

// As mark_stopped, and stop_work::run.
void request(const shared& w, mistake wrong = mistake::none) {
  listener* l = nullptr;
  if (wrong == mistake::tells_without_a_pin) {
    w->requested.store(true, std::memory_order_seq_cst);
    l = w->on_stop.load(std::memory_order_seq_cst);
    if (l != nullptr) static_cast<scope*>(l)->stop();
    return;
  }
  w->lock.lock();
  l = listener::request(w->requested, w->on_stop);
  w->lock.unlock();
  if (l != nullptr) l->tell();
}

struct no_lock {
  void lock() {}
  void unlock() {}
};
// As scope_core::run_children_here; `child` runs between begin and end.
template <class Child>
void listen(const shared& w, int which, Child&& child, mistake wrong = mistake::none) {
  auto mine = std::make_unique<scope>(w->heard[which]);
  if (mine->begin(w->on_stop, w->requested)) mine->stop();
  child();
  no_lock none;
  if (wrong == mistake::leaves_without_the_lock)
    mine->end(w->on_stop, none, [] { model::sync::pause(); });
  else
    mine->end(w->on_stop, w->lock, [] { model::sync::pause(); });
}
void wait_for_stop(const shared& w, int which) {
  while (w->heard[which].load(relaxed) == 0) model::sync::pause();
}

// The child ends only when it is asked to.
void heard(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("joiner", [=] { listen(w, 0, [=] { wait_for_stop(w, 0); }); });
  x.thread("request", [=] { request(w); });
}
// One scope ends, the next one begins: the second one's child waits for the request.
void heard_by_the_next(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("joiner", [=] {
    listen(w, 0, [] {});
    listen(w, 1, [=] { wait_for_stop(w, 1); });
  });
  x.thread("request", [=] { request(w); });
}
// The scope goes at any moment of the request.
template <mistake M = mistake::none>
void goes(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("joiner", [=] { listen(w, 0, [] {}, M); });
  x.thread("request", [=] { request(w, M); });
}
void two_requests(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("joiner", [=] { listen(w, 0, [=] { wait_for_stop(w, 0); }); });
  for (int i = 0; i < 2; ++i) x.thread("request", [=] { request(w); });
}

}  // namespace

TEST_CASE("STOP-1: a listener outlives every call of it") {
  holds(goes<>);
  CHECK_FALSE(model::explore({}, goes<mistake::tells_without_a_pin>).ok());
  CHECK_FALSE(model::explore({}, goes<mistake::leaves_without_the_lock>).ok());
}
TEST_CASE("STOP-2: a request is heard") {
  holds(heard);
  holds(heard_by_the_next);
  holds(two_requests, model::bounded(3));
}
TEST_CASE("STOP: which orderings are needed") {
  const auto all = model::mutate({}, {goes<>, heard, heard_by_the_next}, "/stop_listener.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
