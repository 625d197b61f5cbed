// SPDX-License-Identifier: BSL-1.0
#pragma once
// api/scope_places.hpp - SCOPE-1 to SCOPE-4 (scope_core.hpp) as a template: how many children a
// scope has, the agents that wait for a place among them, and the one that waits for their end.
//
// The scope, `Core`, is derived from this. It has the lock (`guard`), adopts and releases children,
// and passes on a stop. `Types` says how its agents park and are woken. `Agent` is a callable that
// returns the calling agent; it is called only if that has to wait.

#include <cstddef>
#include <utility>

#include "base/thread_safety.hpp"
#include "fiber/fiber_word.hpp"
#include "trace/reason.hpp"

namespace weft::detail {

template <class Core, class Types>
class basic_scope_places {
 public:
  using child = typename Types::child;
  using agent = typename Types::agent;
  using ticket = typename Types::ticket;

  /// `limit` is at least 1.
  explicit basic_scope_places(std::size_t limit) noexcept : limit_(limit) {}

  // ---- under the lock
  [[nodiscard]] std::size_t taken() const noexcept { return taken_; }
  /// False: there is none free.
  [[nodiscard]] bool try_take() noexcept {
    if (taken_ >= limit_) return false;
    ++taken_;
    return true;
  }

  // ---- without it
  /// Takes a place, in the order of asking, and adopts the child.
  template <class Agent>
  void take(child& c, Agent calling) {
    {
      const typename Core::guard guard(core());
      if (try_take()) [[likely]] {
        core().adopt(c);
        return;
      }
    }
    agent& self = calling();
    place_waiter me(c);
    stoppable st = stoppable::yes;
    for (;;) {
      {
        const typename Core::guard guard(core());
        if (try_take()) {
          if (me.linked()) me.unlink();
          core().adopt(c);
          return;
        }
        if (!me.linked()) waiting_.push_back(me);
        me.who = core().begin_park(self, park_reason::scope_limit, st);
      }
      if (Types::finish_park(self) == wake_code::ready) return;  // SCOPE-4
      core().stop();
      st = stoppable::no;
    }
  }

  /// Until all places are free.
  template <class Agent>
  void wait_for_all(stoppable st, Agent calling) {
    agent& self = calling();
    for (;;) {
      {
        const typename Core::guard guard(core());
        if (taken_ == 0) return;
        joiner_ = core().begin_park(self, park_reason::scope_join, st);
      }
      if (Types::finish_park(self) == wake_code::ready) continue;
      {
        const typename Core::guard guard(core());
        joiner_ = {};
      }
      core().stop();
      st = stoppable::no;
    }
  }

  /// A child has left; null: a place was not used.
  void give_back(child* c) noexcept {
    ticket joiner{};
    agent* next = nullptr;
    {
      const typename Core::guard guard(core());
      if (c != nullptr) core().release(*c);
      --taken_;
      if (!waiting_.empty()) [[unlikely]]
        next = pass_on();
      if (taken_ == 0) joiner = std::exchange(joiner_, ticket{});
    }  // SCOPE-3
    if (next != nullptr) Types::enqueue(*next);
    if (joiner) Types::wake(joiner);
  }

 private:
  struct place_waiter : Types::template hook<place_waiter> {
    explicit place_waiter(child& c) noexcept : whose(c) {}
    child& whose;
    ticket who{};
  };

  [[nodiscard]] Core& core() noexcept { return static_cast<Core&>(*this); }

  using waiter_list = typename Types::template list<place_waiter>;

  // With a free place, and the core's lock, which has no name here.
  // Returns the waiter to be queued, or null. The claim comes last: a waiter that has not parked
  // yet returns at once, without the lock, and its frame goes.
  agent* pass_on() noexcept WEFT_NO_THREAD_SAFETY_ANALYSIS {
    waiter_list passed_over;
    agent* next = nullptr;
    while (place_waiter* const w = waiting_.pop_front()) {
      agent& a = Types::agent_of(w->who);
      child& c = w->whose;
      ++taken_;
      core().adopt(c);
      const wake_duty duty = Types::claim(w->who);
      if (duty == wake_duty::enqueue) next = &a;
      if (duty != wake_duty::stale) break;
      core().release(c);  // SCOPE-4
      --taken_;
      if (!Types::is_left_behind(a)) passed_over.push_back(*w);  // [LEFT-1] it never looks
    }
    passed_over.splice_back(waiting_);
    waiting_.splice_back(passed_over);
    return next;
  }

  const std::size_t limit_;
  std::size_t taken_ = 0;
  ticket joiner_{};
  waiter_list waiting_;
};

}  // namespace weft::detail
