// SPDX-License-Identifier: BSL-1.0
#pragma once
// api/scope_core.hpp - the children of a scope, under one lock.
//
//   SCOPE-1  the places taken == the children that were submitted and have not left, each in
//            children_ meanwhile, and the places that try_spawn has taken for a child it is still
//            making.
//   SCOPE-2  no place taken and joiner_ set never hold together outside the lock: the step that
//            takes the last child out takes the joiner with it.
//   SCOPE-3  after the unlock that freed the last place, nothing of the scope is touched: its owner
//            may destroy it.
//   SCOPE-4  a place that becomes free while agents wait is given to the first of them, under the
//            lock: it is out of the line, and its child among the children, before it is claimed;
//            from then on its frame may go. A waiter that a stop request has woken meanwhile is
//            skipped, keeps its turn, and looks for itself.
//
// A child leaves on its own stack, before its record goes. The lock is held for a few stores; stop
// requests collect the stop sources under it and run the user's callbacks after it. A waiter here,
// for the end or for a place, passes a stop request on to the children and waits on. A deadline,
// the scope's own or an enclosing one, is a fiber that sleeps until then, started with the first
// child: it finds the owner wherever it is. It may be late, so each spawn looks at the clock, too.
// Rejected: an atomic count alone (a stop request has to find the children); looking at the
// deadline in join (the owner may be busy with something else).

#include <weft/fiber.hpp>
#include <weft/scope.hpp>
#include <weft/this_fiber.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <stop_token>

#include "api/inline_join.hpp"
#include "api/scope_places.hpp"
#include "base/check.hpp"
#include "base/lock_guard.hpp"
#include "sched/park.hpp"

namespace weft::detail {

// The agents of scope_places.hpp.
struct scope_types {
  using child = fiber_record;
  using agent = fiber_record;
  using ticket = detail::ticket;
  template <class T>
  using hook = base::list_hook<>;
  template <class T>
  using list = base::intrusive_list<T>;

  static wake_code finish_park(fiber_record& f) { return detail::finish_park(f); }
  static fiber_record& agent_of(ticket t) noexcept { return record_of(t); }
  static bool is_left_behind(const fiber_record& f) noexcept { return detail::is_left_behind(f); }
  static wake_duty claim(ticket t) noexcept {
    return record_of(t).word.wake(t.epoch(), wake_code::ready);
  }
  static void enqueue(fiber_record& f) noexcept { detail::enqueue(f); }
  static void wake(ticket t) noexcept { detail::wake(t); }
};

class scope_core : basic_scope_places<scope_core, scope_types> {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  scope_core(std::size_t limit, time_point deadline) noexcept
      : basic_scope_places(limit), deadline_(std::min(deadline, inherited())) {}
  ~scope_core() {
    if (!watcher_.joinable()) return;
    watcher_.request_stop();
    try {
      watcher_.join();
    } catch (const std::exception&) {  // fail_unwatched
    }
  }
  scope_core(const scope_core&) = delete;
  scope_core& operator=(const scope_core&) = delete;

  [[nodiscard]] time_point deadline() const noexcept { return deadline_; }
  /// The deadline of the scope whose child the caller is.
  static time_point inherited() noexcept {
    const worker* w = this_worker();
    if (w == nullptr || w->current == nullptr || w->current->scope == nullptr)
      return time_point::max();
    return w->current->scope->deadline();
  }

  void submit(fiber_record& f, const void* site) {
    try {
      be_able_to_wait();
      watch();
      take(f, &this_agent);
    } catch (...) {
      f.operations->invoke(f, start::discard);
      abandon_task(f);
      throw;
    }
    submit_child(f, site);
  }

  /// For try_spawn: a place, then the child, or the place back.
  [[nodiscard]] bool reserve() {
    be_able_to_wait();
    watch();
    const base::lock_guard guard(lock_);
    return try_take();
  }
  void submit_reserved(fiber_record& f, const void* site) noexcept {
    {
      const base::lock_guard guard(lock_);
      adopt(f);
    }
    submit_child(f, site);
  }
  void unreserve() noexcept { give_back(nullptr); }

  void join(stoppable st) {
    run_children_here(st);
    wait_for_all(st, &this_agent);
  }

  void stop() noexcept {
    {
      const base::lock_guard guard(lock_);
      if (std::exchange(stopped_, true)) return;
    }
    stop_children();
  }

  void child_left(fiber_record& f) noexcept {
    if (f.error) [[unlikely]] {
      // its destructor may be the user's: not under the lock
      std::exception_ptr error = std::exchange(f.error, nullptr);
      {
        const base::lock_guard guard(lock_);
        if (!failure_) failure_.swap(error);
      }
      error = nullptr;
      stop();  // while this child still keeps the scope alive
    }
    give_back(&f);
  }

  std::exception_ptr take_failure() noexcept {
    const base::lock_guard guard(lock_);
    return std::exchange(failure_, nullptr);
  }
  [[nodiscard]] bool stopping() const noexcept {
    if (is_past()) return true;  // whether or not the children have heard of it
    const base::lock_guard guard(lock_);
    return stopped_;
  }
  [[nodiscard]] std::size_t children() const noexcept {
    const base::lock_guard guard(lock_);
    return taken();
  }

 private:
  friend basic_scope_places<scope_core, scope_types>;
  class WEFT_SCOPED_CAPABILITY guard {
   public:
    explicit guard(scope_core& s) noexcept WEFT_ACQUIRE(s.lock_) : held_(s.lock_) {}
    ~guard() WEFT_RELEASE() {}

   private:
    base::lock_guard<base::ranked_futex_lock<base::lock_rank::scope>> held_;
  };
  static void release(fiber_record& f) noexcept { f.in_children.unlink(); }
  [[nodiscard]] ticket begin_park(fiber_record& self, park_reason why, stoppable st) noexcept {
    return detail::begin_park(self, why, this, st);
  }

  [[nodiscard]] bool is_past() const noexcept {
    return deadline_ != time_point::max() && deadline_ <= std::chrono::steady_clock::now();
  }

  // Before a child, which the owner must wait for: a plain thread's first wait may find no memory.
  static void be_able_to_wait() {
    if (this_worker() == nullptr) [[unlikely]]
      static_cast<void>(this_agent());
  }

  // Before a child. Throws as weft::spawn.
  void watch() {
    if (deadline_ == time_point::max()) [[likely]]
      return;
    {
      const base::lock_guard guard(lock_);
      if (std::exchange(watched_, true)) return;
    }
    try {
      attributes a;
      a.name = "scope deadline";
      unless_run unwatched([this]() noexcept { fail_unwatched(); });
      watcher_ = weft::spawn(a, [this, unwatched = std::move(unwatched)]() mutable {
        unwatched.runs();
        if (sleep_until(deadline_) == wait_result::timeout) stop();
      });
    } catch (...) {
      const base::lock_guard guard(lock_);
      watched_ = false;
      throw;
    }
  }

  // The fiber that would keep the deadline has found no stack: as if it were a child, or the
  // children would go on past the deadline.
  void fail_unwatched() noexcept {
    {
      const base::lock_guard guard(lock_);
      if (!failure_)
        failure_ = no_stack_error("weft::scope: no stack for the fiber that keeps the deadline");
    }
    stop();
  }

  // With a place for it.
  void adopt(fiber_record& f) noexcept WEFT_REQUIRES(lock_) {
    children_.push_back(f.in_children);
    f.scope = this;
    f.set(fiber_record::in_scope);
    if (stopped_) f.stop_requested.store(true, std::memory_order_seq_cst);
  }

  void submit_child(fiber_record& f, const void* site) noexcept {
    if (is_past()) stop();  // it is among the children already
    f.join.reset_detached();
    submit_task_at(f, site);
  }

  // As request_stop: all callbacks, then all flags and waits. The caller keeps the scope alive.
  // Once per scope: adopt marks later children. Those before `asked` in the list are still to be
  // asked, and go behind it.
  void stop_children() noexcept {
    for (auto* half : {&begin_stop, &mark_stopped}) {
      scope_hook asked;
      {
        const base::lock_guard guard(lock_);
        children_.push_back(asked);
      }
      for (bool more = true; more;) {
        stop_batch batch;
        {
          const base::lock_guard guard(lock_);
          while (!batch.full()) {
            scope_hook& child = *children_.pop_front();
            if (&child == &asked) {
              more = false;
              break;
            }
            children_.push_back(child);
            batch.add(half(*child.owner));
          }
        }
        batch.run();
      }
    }
  }

  // While the joiner runs children on its stack it is not parked, and a stop request would find
  // nothing to wake.
  class listening {
   public:
    listening(fiber_record& self, scope_core& scope) noexcept : self_(self), scope_(scope) {
      if (scope_.listener_.begin(self_.on_stop, self_.stop_requested)) scope_.stop();
    }
    ~listening() {
      scope_.listener_.end(self_.on_stop, self_.lock, [] { yield(); });
    }
    listening(const listening&) = delete;
    listening& operator=(const listening&) = delete;

   private:
    fiber_record& self_;
    scope_core& scope_;
  };

  // The newest children that have not started run here, as long as they are the newest entries. The
  // worker is read anew in each round: `enter` and the children may bring this fiber to another
  // thread.
  void run_children_here(stoppable st) {
    fiber_record& self = this_agent();
    if (self.has(fiber_record::is_thread)) return;
    std::optional<listening> heard;
    for (;;) {
      yield_if_requested_slow();
      worker* w = enter();
      auto& local = w->held->local;
      fiber_record* f = local.pop();  // only then may it be looked at: thieves
      const bool ours = f != nullptr && f->has(fiber_record::in_scope) && f->scope == this;
      if (ours && st == stoppable::yes && !heard) {
        local.push(f);
        leave(*w);
        heard.emplace(self, *this);
        continue;
      }
      if (!ours || !fits_here(*w, *f)) {
        if (f != nullptr) local.push(f);
        leave(*w);
        return;
      }
      run_inline(*w, *f);
    }
  }

  struct scope_listener : stop_listener {
    explicit scope_listener(scope_core& s) noexcept
        : stop_listener(
              [](stop_listener& l) noexcept { static_cast<scope_listener&>(l).scope.stop(); }),
          scope(s) {}
    scope_core& scope;
  };
  scope_listener listener_{*this};
  mutable base::ranked_futex_lock<base::lock_rank::scope> lock_;
  bool stopped_ WEFT_GUARDED_BY(lock_) = false;
  const time_point deadline_;  // the nearest, of this scope and of those around it
  bool watched_ WEFT_GUARDED_BY(lock_) = false;
  // sleeps until then; the setter of `watched_` makes it, the owner ends it
  fiber<void> watcher_;
  std::exception_ptr failure_ WEFT_GUARDED_BY(lock_);
  base::intrusive_list<scope_hook> children_ WEFT_GUARDED_BY(lock_);
};

}  // namespace weft::detail
