// SPDX-License-Identifier: BSL-1.0
// api/scope.cpp - the children of a scope, under one lock.
//
//   SCOPE-1  pending_ == the children that were submitted and have not left; each is in children_ meanwhile.
//   SCOPE-2  pending_ == 0 and joiner_ set never hold together outside the lock: whoever takes the last child out
//            takes the joiner with it.
//   SCOPE-3  after the unlock that made pending_ zero, nothing of the scope is touched: its owner may destroy it.
// A child leaves on its own stack, before its record goes. The lock is held for a few stores; stop requests collect
// the stop sources under it and run the user's callbacks after it.
// Rejected: an atomic count alone (a stop request has to find the children).
#include <weft/scope.hpp>

#include <algorithm>
#include <deque>
#include <exception>
#include <mutex>
#include <stop_token>
#include <vector>

#include "api/inline_join.hpp"
#include "base/check.hpp"
#include "sched/park.hpp"

namespace weft::detail {

class scope_core {
 public:
  explicit scope_core(std::size_t limit) noexcept : limit_(std::max<std::size_t>(limit, 1)) {}

  void submit(fiber_record& f) {
    wait_for_place(f);
    f.join.reset_detached();
    submit_task(f);
  }

  void join(stoppable st) {
    run_children_here();
    fiber_record& self = this_strand();
    for (;;) {
      {
        std::unique_lock guard(lock_);
        if (pending_ == 0) return;
        joiner_ = begin_park(self, park_reason::scope_join, this, st);
      }
      const wake_code why = finish_park(self);
      if (why == wake_code::ready) continue;
      {
        const std::lock_guard guard(lock_);
        joiner_ = {};
      }
      stop();
      st = stoppable::no;
    }
  }

  void stop() noexcept {
    std::vector<std::stop_source> sources;
    {
      const std::lock_guard guard(lock_);
      stop_under_lock(sources);
    }
    for (auto& s : sources) s.request_stop();
  }

  void child_left(fiber_record& f) noexcept {
    std::vector<std::stop_source> sources;
    ticket joiner, next;
    {
      const std::lock_guard guard(lock_);
      f.in_children.unlink();
      if (f.error) [[unlikely]] {
        if (!failure_) {
          failure_ = f.error;
          stop_under_lock(sources);
        }
        f.error = nullptr;
      }
      --pending_;
      if (pending_ == 0) joiner = std::exchange(joiner_, {});
      if (!waiting_.empty()) [[unlikely]] next = next_waiting();
    }  // SCOPE-3
    for (auto& s : sources) s.request_stop();
    if (next) wake(next);
    if (joiner) wake(joiner);
  }

  std::exception_ptr take_failure() noexcept {
    const std::lock_guard guard(lock_);
    return std::exchange(failure_, nullptr);
  }
  [[nodiscard]] bool stopping() const noexcept {
    const std::lock_guard guard(lock_);
    return stopped_;
  }
  [[nodiscard]] std::size_t children() const noexcept {
    const std::lock_guard guard(lock_);
    return pending_;
  }

 private:
  struct place_waiter {
    ticket who;
  };

  // Takes a place, in the order of asking, and puts the child into the list.
  void wait_for_place(fiber_record& f) {
    fiber_record* self = nullptr;
    for (;;) {
      {
        const std::lock_guard guard(lock_);
        if (pending_ < limit_) {
          ++pending_;
          children_.push_back(f.in_children);
          f.scope = this;
          f.set(fiber_record::in_scope);
          if (stopped_) f.stop_requested.store(true, std::memory_order_seq_cst);
          return;
        }
        if (self == nullptr) self = &this_strand();
        waiting_.push_back({begin_park(*self, park_reason::scope_limit, this)});
      }
      static_cast<void>(finish_park(*self));
    }
  }

  ticket next_waiting() noexcept {
    const ticket t = waiting_.front().who;
    waiting_.erase(waiting_.begin());
    return t;
  }

  void stop_under_lock(std::vector<std::stop_source>& sources) noexcept {
    if (std::exchange(stopped_, true)) return;
    for (scope_hook& child : children_) {
      std::stop_source s = mark_stopped(*child.owner);
      if (s.stop_possible()) sources.push_back(std::move(s));
    }
  }

  // The newest children that have not started run here, as long as they are what lies newest.
  void run_children_here() noexcept {
    for (;;) {
      const worker* here = this_worker();
      if (here == nullptr || here->current == nullptr) return;
      worker* w = enter();
      auto& local = w->held->local;
      fiber_record* f = local.pop();
      if (f == nullptr || !f->has(fiber_record::in_scope) || f->scope != this || !fits_here(*w, *f)) {
        if (f != nullptr) local.push(f);
        leave(*w);
        return;
      }
      run_inline(*w, *f);
    }
  }

  mutable base::ranked_futex_lock<base::lock_rank::scope> lock_;
  bool stopped_ = false;                      // lock_, and all below
  const std::size_t limit_;
  std::size_t pending_ = 0;
  ticket joiner_;
  std::exception_ptr failure_;
  std::vector<place_waiter> waiting_;
  base::intrusive_list<scope_hook> children_;
};

void leave_scope(fiber_record& f) noexcept {
  f.clear(fiber_record::in_scope);
  std::exchange(f.scope, nullptr)->child_left(f);
}

int uncaught_now() noexcept { return std::uncaught_exceptions(); }

scope_core& scope_base::core() noexcept {
  return *std::launder(reinterpret_cast<scope_core*>(storage_));
}
const scope_core& scope_base::core() const noexcept {
  return *std::launder(reinterpret_cast<const scope_core*>(storage_));
}
scope_base::scope_base(std::size_t limit) noexcept {
  static_assert(sizeof(scope_core) <= sizeof(storage_) && alignof(scope_core) <= 16);
  ::new (static_cast<void*>(storage_)) scope_core(limit);
}
scope_base::~scope_base() { core().~scope_core(); }
void scope_base::submit(task& t) { core().submit(record_of(t)); }
void scope_base::join_all() {
  core().join(stoppable::yes);
  if (std::exception_ptr failure = core().take_failure()) std::rethrow_exception(failure);
}
void scope_base::join_quietly() noexcept {
  core().stop();
  core().join(stoppable::no);
  static_cast<void>(core().take_failure());
}
void scope_base::stop_all() noexcept { core().stop(); }
bool scope_base::stopping() const noexcept { return core().stopping(); }
std::size_t scope_base::children() const noexcept { return core().children(); }

}  // namespace weft::detail
