// SPDX-License-Identifier: BSL-1.0
// test/model/parker_model.cpp - WAKE-1 of base/parker.hpp, in the loops that stand on it: a frozen
// thread in its handler (watch/preempter.cpp), a reserved spare that is given a processor without
// the idle lock (sched/sleepers.hpp and watch/retaker.hpp), each with an unpark of long ago that
// nobody has taken. A sleeper that is never woken is a deadlock.
#include "base/parker.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

enum class left_behind { nothing, unpark };

// As it was: a word that wakers store 1 to, and that the sleeper sets back with a store.
struct store_parker {
  model::atomic<std::uint32_t> awake{0};
  void park() {
    while (awake.load(acquire) == 0) awake.futex_wait(0);
    awake.store(0, relaxed);
  }
  void unpark() {
    awake.store(1, release);
    awake.futex_wake(1);
  }
};
using shipped = base::basic_parker<model::sync>;

template <class Parker>
struct state {
  Parker parker;
  model::atomic<int*> assigned{nullptr};
  model::atomic<std::uint32_t> runs_detached{0}, lock{0};
  model::plain<int> written{0};
  int processor = 0;
};

// freeze | thaw, or thaw_detached
template <class Parker>
model::program frozen(left_behind before, bool with_processor) {
  return [=](execution& x) {
    auto s = std::make_shared<state<Parker>>();
    x.thread("frozen", [=] {
      if (before == left_behind::unpark) s->parker.unpark();
      while (s->assigned.load(acquire) == nullptr && s->runs_detached.exchange(0, acquire) == 0)
        s->parker.park();
      model::check(s->written == 1, "WAKE-1: what the waker wrote is seen");
    });
    x.thread("waker", [=] {
      s->written = 1;
      if (with_processor)
        s->assigned.store(&s->processor, release);
      else
        s->runs_detached.store(1, release);
      s->parker.unpark();
    });
  };
}

// A reserved spare in sleep | retake, which does not take the idle lock
template <class Parker>
model::program reserved(left_behind before) {
  return [=](execution& x) {
    auto s = std::make_shared<state<Parker>>();
    x.thread("spare", [=] {
      if (before == left_behind::unpark) s->parker.unpark();
      for (;;) {
        std::uint32_t free = 0;
        while (!s->lock.compare_exchange_strong(free, 1, acquire, relaxed)) {
          free = 0;
          model::sync::pause();
        }
        int* p = s->assigned.load(acquire);
        s->lock.exchange(0, release);
        if (p != nullptr) return;
        s->parker.park();
      }
    });
    x.thread("retake", [=] {
      s->assigned.store(&s->processor, release);
      s->parker.unpark();
    });
  };
}

// The collector of a trace: what it is woken for is published relaxed by one, and somebody else
// wakes it, too.
template <class Parker>
void two_wakers(execution& x) {
  auto s = std::make_shared<state<Parker>>();
  x.thread("sleeper", [=] {
    while (s->assigned.load(relaxed) == nullptr) s->parker.park();
  });
  x.thread("first", [=] {
    s->assigned.store(&s->processor, relaxed);
    s->parker.unpark();
  });
  x.thread("second", [=] { s->parker.unpark(); });
}

model::verdict end_of(const model::program& p) { return model::explore({}, p).end; }

}  // namespace

TEST_CASE("WAKE-1: a frozen thread goes on, whatever was left behind") {
  for (const auto before : {left_behind::nothing, left_behind::unpark})
    for (const bool with_processor : {true, false}) holds(frozen<shipped>(before, with_processor));
}

TEST_CASE("WAKE-1: a reserved spare sees what it is given without the lock") {
  for (const auto before : {left_behind::nothing, left_behind::unpark})
    holds(reserved<shipped>(before));
}

TEST_CASE("WAKE-1: of two wakers the first is seen through the second") {
  holds(two_wakers<shipped>);
}

TEST_CASE("known mistake: the sleeper sets the word back with a store") {
  CHECK(end_of(frozen<store_parker>(left_behind::nothing, true)) == model::verdict::passed);
  CHECK(end_of(frozen<store_parker>(left_behind::unpark, true)) == model::verdict::deadlocked);
  CHECK(end_of(reserved<store_parker>(left_behind::unpark)) == model::verdict::deadlocked);
}

TEST_CASE("WAKE-1: which orderings are needed") {
  const auto all = model::mutate({},
                                 {frozen<shipped>(left_behind::unpark, true),
                                  reserved<shipped>(left_behind::unpark), two_wakers<shipped>},
                                 "/parker.hpp");
  CHECK_MESSAGE(model::survivors(all).empty(), model::list(all));
}
