// SPDX-License-Identifier: BSL-1.0
// api/scope.cpp - the children of a scope, under one lock.
//
//   SCOPE-1  pending_ == the children that were submitted and have not left; each is in children_ meanwhile.
//   SCOPE-2  pending_ == 0 and joiner_ set never hold together outside the lock: whoever takes the last child out
//            takes the joiner with it.
//   SCOPE-3  after the unlock that made pending_ zero, nothing of the scope is touched: its owner may destroy it.
// A child leaves on its own stack, before its record goes. The lock is held for a few stores; stop requests collect
// the stop sources under it and run the user's callbacks after it.
// A deadline is a fiber that sleeps until then: it finds the owner wherever it is, and costs nothing without one.
// Rejected: an atomic count alone (a stop request has to find the children); looking at the deadline in join (the
// owner may be busy with something else).
#include <weft/fiber.hpp>
#include <weft/scope.hpp>
#include <weft/this_fiber.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "api/inline_join.hpp"
#include "base/check.hpp"
#include "sched/park.hpp"

namespace weft::detail {

class scope_core {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  scope_core(std::size_t limit, time_point deadline)
      : limit_(std::max<std::size_t>(limit, 1)), deadline_(std::min(deadline, inherited())) {
    if (deadline == time_point::max()) return;  // an inherited one is watched by the scope that has it
    attributes a;
    a.name = "scope deadline";
    watcher_ = weft::spawn(a, [this] {
      if (sleep_until(deadline_) == wait_result::timeout) stop();
    });
  }
  ~scope_core() {
    if (!watcher_.joinable()) return;
    watcher_.request_stop();
    watcher_.join();
  }
  scope_core(const scope_core&) = delete;
  scope_core& operator=(const scope_core&) = delete;

  [[nodiscard]] time_point deadline() const noexcept { return deadline_; }
  /// The deadline of the scope whose child the caller is.
  static time_point inherited() noexcept {
    const worker* w = this_worker();
    if (w == nullptr || w->current == nullptr || w->current->scope == nullptr) return time_point::max();
    return w->current->scope->deadline();
  }

  void submit(fiber_record& f, const void* site) {
    wait_for_place(f);
    f.join.reset_detached();
    submit_task_at(f, site);
  }

  void join(stoppable st) {
    run_children_here(st);
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
    {
      const std::lock_guard guard(lock_);
      if (std::exchange(stopped_, true)) return;
    }
    stop_children();
  }

  void child_left(fiber_record& f) noexcept {
    if (f.error) [[unlikely]] {
      {
        const std::lock_guard guard(lock_);
        if (!failure_) failure_ = f.error;
        f.error = nullptr;
      }
      stop();  // while this child still keeps the scope alive
    }
    ticket joiner, next;
    {
      const std::lock_guard guard(lock_);
      f.in_children.unlink();
      --pending_;
      if (pending_ == 0) joiner = std::exchange(joiner_, {});
      if (!waiting_.empty()) [[unlikely]] next = next_waiting();
    }  // SCOPE-3
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

  // As request_stop: all callbacks, then all flags and waits. The caller keeps the scope alive.
  void stop_children() noexcept {
    for (auto* half : {&begin_stop, &mark_stopped}) {
      std::vector<stop_work> all;
      {
        const std::lock_guard guard(lock_);
        for (scope_hook& child : children_) {
          stop_work work = half(*child.owner);
          if (work) all.push_back(std::move(work));
        }
      }
      for (stop_work& work : all) work.run();
    }
  }

  // While the joiner runs children on its stack it is not parked, and a stop request would find nothing to wake.
  class listening {
   public:
    listening(fiber_record& self, scope_core& scope) noexcept : self_(self), scope_(scope) {
      self_.on_stop.store(&scope_.listener_, std::memory_order_seq_cst);
      // [STOP-2] set, then the flag; mark_stopped: the flag, then this.
      if (self_.stop_requested.load(std::memory_order_seq_cst)) scope_.stop();
    }
    ~listening() {
      {
        const std::lock_guard guard(self_.lock);
        self_.on_stop.store(nullptr, std::memory_order_relaxed);
      }
      while (scope_.listener_.pins.load(std::memory_order_acquire) != 0) yield();  // [STOP-1] stop_work::run
    }
    listening(const listening&) = delete;
    listening& operator=(const listening&) = delete;

   private:
    fiber_record& self_;
    scope_core& scope_;
  };

  // The newest children that have not started run here, as long as they are what lies newest.
  void run_children_here(stoppable st) noexcept {
    std::optional<listening> heard;
    for (;;) {
      const worker* here = this_worker();
      if (here == nullptr || here->current == nullptr) return;
      worker* w = enter();
      auto& local = w->held->local;
      fiber_record* f = local.pop();  // only then may it be looked at: thieves
      if (st == stoppable::yes && !heard && f != nullptr && f->has(fiber_record::in_scope) && f->scope == this) {
        local.push(f);
        leave(*w);
        heard.emplace(*here->current, *this);
        continue;
      }
      if (f == nullptr || !f->has(fiber_record::in_scope) || f->scope != this || !fits_here(*w, *f)) {
        if (f != nullptr) local.push(f);
        leave(*w);
        return;
      }
      run_inline(*w, *f);
    }
  }

  struct scope_listener : stop_listener {
    scope_core& scope;
  };
  scope_listener listener_{{[](stop_listener& l) noexcept { static_cast<scope_listener&>(l).scope.stop(); }}, *this};
  mutable base::ranked_futex_lock<base::lock_rank::scope> lock_;
  bool stopped_ = false;                      // lock_, and all below
  const std::size_t limit_;
  const time_point deadline_;                 // the nearest, of this scope and of those around it
  fiber<void> watcher_;                       // sleeps until then; the owner of the scope starts and ends it
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
scope_base::scope_base(std::size_t limit, std::chrono::steady_clock::time_point deadline) {
  static_assert(sizeof(scope_core) <= sizeof(storage_) && alignof(scope_core) <= 16);
  ::new (static_cast<void*>(storage_)) scope_core(limit, deadline);
}
scope_base::~scope_base() { core().~scope_core(); }
void scope_base::submit(task& t) { core().submit(record_of(t), __builtin_return_address(0)); }
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

std::chrono::steady_clock::time_point weft::this_fiber::deadline() noexcept {
  return detail::scope_core::inherited();
}
