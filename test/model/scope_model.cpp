// SPDX-License-Identifier: BSL-1.0
// test/model/scope_model.cpp - api/scope_places.hpp: children that leave, spawners that wait for a
// place, an owner that waits for the end, and stop requests at any moment. The agents park on the
// real fiber word. A place that is lost, or a wake, is a deadlock.
#include "api/scope_places.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using detail::stoppable;
using detail::wake_code;
using detail::wake_duty;
using model::execution;
using model::holds;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto to_release = std::memory_order_release;

enum class mistake : std::uint8_t { none, gives_to_the_woken, adopts_after_the_claim };

struct agent {
  detail::basic_fiber_word<model::sync> word;
  model::atomic<std::uint32_t> wake_word{0};
  model::atomic<std::uint32_t> ticket{0};  // for a stop request: the epoch of a park it may end
  agent() { word.set(detail::fiber_state::running); }
};

struct ticket {
  agent* who = nullptr;
  detail::epoch_t epoch = 0;
  explicit operator bool() const { return who != nullptr; }
};

struct child {
  model::plain<bool> adopted{false};
};

// Of the execution: `claim` has no other way to it.
mistake this_mistake = mistake::none;

struct types {
  using child = ::child;
  using agent = ::agent;
  using ticket = ::ticket;

  // Not base::intrusive_list: a broken protocol is given up in the middle, with waiters in it. The
  // link is the waiter's, and goes with its frame: who touches it then is in a race.
  template <class T>
  class hook {
   public:
    [[nodiscard]] bool linked() const { return list_.read() != nullptr; }
    void link(std::vector<T*>& in) {
      in.push_back(static_cast<T*>(this));
      list_ = &in;
    }
    void unlink() {
      std::erase(*list_.read(), static_cast<T*>(this));
      list_ = nullptr;
    }

   private:
    model::plain<std::vector<T*>*> list_{nullptr};
  };
  template <class T>
  class list {
   public:
    [[nodiscard]] bool empty() const { return all_.empty(); }
    void push_back(T& t) { t.link(all_); }
    T* pop_front() {
      if (all_.empty()) return nullptr;
      T* const t = all_.front();
      t->unlink();
      return t;
    }
    void splice_back(list& other) {
      while (T* const t = other.pop_front()) push_back(*t);
    }

   private:
    std::vector<T*> all_;
  };

  static wake_code finish_park(agent& self) {
    if (self.word.commit([] { return false; }) == detail::commit_duty::none) {
      while (self.wake_word.load(acquire) == 0) model::sync::pause();
      self.wake_word.store(0, relaxed);
    }
    self.word.set(detail::fiber_state::running);
    return self.word.code();
  }
  static agent& agent_of(const ticket& t) { return *t.who; }
  static bool is_left_behind(const agent&) { return false; }
  static wake_duty claim(const ticket& t) {
    const wake_duty duty = t.who->word.wake(t.epoch, wake_code::ready);
    return this_mistake == mistake::gives_to_the_woken && duty == wake_duty::stale ? wake_duty::none
                                                                                   : duty;
  }
  static void enqueue(agent& a) { a.wake_word.store(1, to_release); }
  static void wake(const ticket& t) {
    if (t.who->word.wake(t.epoch, wake_code::ready) == wake_duty::enqueue) enqueue(*t.who);
  }
};

struct scene : detail::basic_scope_places<scene, types> {
  using basic_scope_places::basic_scope_places;

  class guard {
   public:
    explicit guard(scene& s) : lock_(s.lock), late_(s.late) {
      std::uint32_t free = 0;
      while (!lock_.compare_exchange_strong(free, 1, acquire, relaxed)) {
        free = 0;
        model::sync::pause();
      }
      model::check(s.alive == 1, "SCOPE-3: nothing of the scope is touched after its end");
    }
    ~guard() {
      if (late_ != nullptr) std::exchange(late_, nullptr)->adopted = true;
      lock_.store(0, to_release);
    }
    guard(const guard&) = delete;
    guard& operator=(const guard&) = delete;

   private:
    model::atomic<std::uint32_t>& lock_;
    child*& late_;
  };
  void adopt(child& c) {
    model::check(!c.adopted, "a child is adopted once");
    if (this_mistake == mistake::adopts_after_the_claim)
      late = &c;
    else
      c.adopted = true;
    most = std::max(most, ++adopted);
  }
  void release(child& c) {
    model::check(c.adopted, "only a child leaves");
    c.adopted = false;
    --adopted;
  }
  static ticket begin_park(agent& self, detail::park_reason, stoppable st) {
    const detail::epoch_t e = self.word.begin_park(st);
    if (st == stoppable::yes) self.ticket.store(e, to_release);
    return {&self, e};
  }
  void stop() { stopped.store(1, relaxed); }

  model::atomic<std::uint32_t> lock{0};
  model::atomic<std::uint32_t> stopped{0};
  model::plain<int> alive{1};  // 0: the owner has destroyed it
  agent agents[4];
  child children[4];
  std::size_t adopted = 0, most = 0;  // under the lock
  child* late = nullptr;
};
using shared = std::shared_ptr<scene>;
shared new_scene(std::size_t limit, mistake m = mistake::none) {
  this_mistake = m;
  return std::make_shared<scene>(limit);
}

// ---- what they do
void spawn(const shared& s, unsigned n) {
  s->take(s->children[n], [&]() -> agent& { return s->agents[n]; });
  model::check(s->children[n].adopted, "SCOPE-4: it is among the children");
}
void leave(const shared& s, unsigned n) { s->give_back(&s->children[n]); }
// A child that is spawned, runs and leaves.
void come_and_go(const shared& s, unsigned n) {
  spawn(s, n);
  leave(s, n);
}
void join(const shared& s, unsigned n, stoppable st) {
  s->wait_for_all(st, [&]() -> agent& { return s->agents[n]; });
  model::check(s->adopted == 0 && s->taken() == 0, "SCOPE-2: the end is the end of all");
}
// At any moment: before the park, during, after.
void request_stop(const shared& s, unsigned n) {
  const detail::epoch_t e = s->agents[n].ticket.load(acquire);
  if (e != 0 && s->agents[n].word.wake(e, wake_code::stop) == wake_duty::enqueue)
    types::enqueue(s->agents[n]);
}

void all_have_left(const shared& s) {
  model::check(s->adopted == 0 && s->taken() == 0, "SCOPE-1: places are given back");
  model::check(s->most <= 1, "SCOPE-1: never more children than places");
}

// ---- scenarios
void one_place_for_three(execution& x) {
  auto s = new_scene(1);
  for (const unsigned n : {0u, 1u, 2u})
    x.thread(n == 0 ? "a" : n == 1 ? "b" : "c", [=] { come_and_go(s, n); });
  x.finally([=] { all_have_left(s); });
}

// One of those that wait is asked to stop, at any moment: the place goes to the other, or it takes
// it.
template <mistake M = mistake::none>
void asked_to_stop(execution& x) {
  auto s = new_scene(1, M);
  spawn(s, 3);
  x.thread("a", [=] { come_and_go(s, 0); });
  x.thread("b", [=] { come_and_go(s, 1); });
  x.thread("child", [=] { leave(s, 3); });
  x.thread("stopper", [=] { request_stop(s, 0); });
  x.finally([=] { all_have_left(s); });
}

template <mistake M = mistake::none>
void stopped_alone(execution& x) {
  auto s = new_scene(1, M);
  spawn(s, 3);
  x.thread("a", [=] { come_and_go(s, 0); });
  x.thread("child", [=] { leave(s, 3); });
  x.thread("stopper", [=] { request_stop(s, 0); });
  x.finally([=] { all_have_left(s); });
}

// The owner destroys the scope as soon as it has joined.
void owner_joins(execution& x) {
  auto s = new_scene(2);
  spawn(s, 0);
  spawn(s, 1);
  x.thread("owner", [=] {
    join(s, 2, stoppable::yes);
    s->alive = 0;
  });
  x.thread("a", [=] { leave(s, 0); });
  x.thread("b", [=] { leave(s, 1); });
  x.thread("stopper", [=] { request_stop(s, 2); });
}

// A place that try_spawn had taken, and did not use.
void unused_place(execution& x) {
  auto s = new_scene(1);
  x.thread("a", [=] { come_and_go(s, 0); });
  x.thread("tries", [=] {
    bool has_place = false;
    {
      const scene::guard guard(*s);
      has_place = s->try_take();
    }
    if (has_place) s->give_back(nullptr);
  });
  x.thread("stopper", [=] { request_stop(s, 0); });
  x.finally([=] { all_have_left(s); });
}

}  // namespace

TEST_CASE("SCOPE-1: no more children than places, and each place is given back") {
  holds(one_place_for_three, model::bounded(1));
  holds(unused_place, model::bounded(2));
}

TEST_CASE("SCOPE-2, SCOPE-3: the owner hears of the end, and nothing is touched after it") {
  holds(owner_joins, model::bounded(1));
}

TEST_CASE("SCOPE-4: a place that becomes free goes to a waiter, whatever is asked to stop") {
  holds(stopped_alone<>, model::bounded(2));
  holds(asked_to_stop<>, model::bounded(0));
}

TEST_CASE("SCOPE-4: a waiter may go on, and its frame with it, as soon as it is claimed") {
  CHECK(!model::explore(model::bounded(2), stopped_alone<mistake::adopts_after_the_claim>).ok());
}

TEST_CASE("SCOPE-4: a waiter that a stop request has woken looks for itself") {
  CHECK(!model::explore(model::bounded(2), stopped_alone<mistake::gives_to_the_woken>).ok());
}
