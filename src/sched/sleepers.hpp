// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/sleepers.hpp - the processors that nobody holds and the workers that hold none: the idle
// lock, its lists, and the role of the worker that sleeps in the poller.
//
//   detach      a worker gives up the processor it holds
//   assign      a processor goes to a worker that is asleep, which wakes with it
//   take_idle   an idle processor goes to a worker that is awake
//
// Nobody else changes where a processor or a sleeping worker is. Each call below is one critical
// section under the idle lock, or none; SLEEP-1..4, with the proofs, are in the README. The
// counting is idle_state.hpp. What a worker looks for before it sleeps is idle.cpp.
//
// A worker in the poller that has events or due timers takes an idle processor and runs them
// itself: a readiness costs one kernel wake-up. If there is none, everybody is busy; the events go
// to the inject queue. The poller's sleeper is woken for other work last - unless its was the last
// idle processor: then nobody must be left in the kernel to be woken by events that the busy
// workers look for themselves.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/futex_lock.hpp"
#include "base/intrusive_list.hpp"
#include "sched/idle_state.hpp"
#include "sched/monitor_word.hpp"
#include "sched/poll_deadline.hpp"
#include "sched/poll_source.hpp"
#include "sched/processor_counts.hpp"
#include "sched/worker.hpp"

namespace weft::detail {

class sleepers {
 public:
  sleepers(poll_source& poller, monitor_word& monitor, std::int64_t frozen_slice_ns) noexcept
      : poller_(poller), monitor_(monitor), frozen_slice_ns_(frozen_slice_ns) {}
  // Room for all; before any other thread is there.
  void reserve(std::size_t processors) WEFT_NO_THREAD_SAFETY_ANALYSIS;

  // ---- the three verbs
  /// Inside weft, by its own thread. Nobody but the caller reaches the processor then.
  static processor& detach(worker& w) noexcept {
    processor& p = *w.held;
    while (!w.gate.detach(&p)) static_cast<void>(w.gate.await_taker());
    w.held = nullptr;
    p.holder.store(nullptr, std::memory_order_relaxed);
    return p;
  }
  /// To a worker that is asleep, or frozen, and in no list; the caller has detached or taken `p`.
  void assign(worker& to, processor& p) noexcept {
    if (!to.frozen) idle_.begin_search_for_sleeper();
    give(to, p);
  }
  /// For a worker without one, inside weft, that nobody can wake. False: none is idle.
  bool take_idle(worker& w) noexcept;
  /// `p` is nobody's, and the worker's from now on; on its thread, or before that has started.
  void attach(worker& w, processor& p) noexcept;

  // ---- submitters
  void wake_one_if_needed() noexcept {
    if (idle_.must_wake()) [[unlikely]]
      wake_one();
  }
  /// A bound fiber: its thread gets it, and if that is asleep, the processor of `w`.
  void send_bound(worker& w, fiber_record& f) noexcept;
  [[nodiscard]] fiber_record* take_bound(worker& w) noexcept;
  /// The processor of `w` goes to a sleeper, or to `made`, which is null then. False: there is
  /// none, and nothing has happened.
  bool give_away(worker& w, worker*& made) noexcept;

  // ---- a worker that has found nothing (idle.cpp)
  [[nodiscard]] std::uint32_t idle() const noexcept { return idle_.idle(); }
  [[nodiscard]] std::uint32_t searching() const noexcept { return idle_.searching(); }
  [[nodiscard]] bool try_begin_search(std::uint32_t serving) noexcept {
    return idle_.try_begin_search(serving);
  }
  [[nodiscard]] search_duty end_search() noexcept { return idle_.end_search(); }

  /// Its processor becomes idle, and itself a sleeper that can be woken [IDLE-1].
  void lie_down(worker& w) noexcept;
  /// Up again, with an idle processor, unless somebody has woken or reserved it meanwhile. False:
  /// the caller tells the poller of all timers, for a processor may have looked busy [TIMER-1].
  bool rise(worker& w) noexcept;
  enum class place : std::uint8_t { none, ended, poller, list, reserved };
  /// Where a worker without a processor sleeps; `none`: it has one now. `left`: bound fibers that
  /// go to the inject queue, for there is no processor to run them with. `all_idle`: with fewer
  /// idle processors than that, it does not want the poller's role [SLEEP-5].
  template <class WorkInSight>
  place find_place(worker& w, fiber_record*& left, std::uint32_t all_idle,
                   WorkInSight&& work_in_sight) noexcept;
  /// Its sleep was long. True: it is in no list any more, and its thread ends [RESIZE-3].
  bool may_end(worker& w, std::size_t serving) noexcept;

  // ---- the poller's role
  // [TIMER-1]
  template <class Earliest>
  [[nodiscard]] std::int64_t begin_poll(Earliest&& earliest) noexcept {
    return poll_until_.begin([&] { return idle() > 0 ? earliest() : poll_deadline::never; });
  }
  void end_poll() noexcept { poll_until_.end(); }
  [[nodiscard]] bool is_poller_vacant() const noexcept { return poll_until_.is_vacant(); }
  void tell_poller(std::int64_t earliest) noexcept {
    if (poll_until_.misses(earliest)) poller_.interrupt();
  }
  /// True: it has a processor, assigned by a waker or, if `wants_one`, an idle one.
  bool leave_poller(worker& w, bool wants_one) noexcept;
  /// Nobody waits in the poller, some processor is idle, and those who run do not look: a sleeper
  /// takes the role.
  void appoint_poller() noexcept;

  // ---- reserved workers: asleep, in no list; the caller has plans for them [RETAKE-3]
  [[nodiscard]] worker* reserve_parked() noexcept;
  [[nodiscard]] worker* reserve_in_poller() noexcept;  // it leaves the role
  void release(worker& s) noexcept;
  [[nodiscard]] bool any_parked() noexcept;

  // ---- frozen workers (thaw.cpp), the oldest first
  /// One that holds no processor, and whose fiber must stay with it, becomes the last. False: the
  /// threads end, and nobody will thaw it.
  [[nodiscard]] bool line_up(worker& w) noexcept;
  [[nodiscard]] std::uint32_t frozen() const noexcept {
    return frozen_count_.load(std::memory_order_seq_cst);
  }
  [[nodiscard]] std::uint32_t frozen_hint() const noexcept {
    return frozen_count_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t frozen_slice() const noexcept { return frozen_slice_ns_; }
  [[nodiscard]] worker* take_frozen() noexcept;  // frozen no more
  /// The first that can continue without a processor.
  [[nodiscard]] worker* take_frozen_outside() noexcept;
  [[nodiscard]] worker* reserve_frozen() noexcept;  // goes back to the line by release()
  void unfreeze(worker& z) noexcept;
  void take_turn(worker& w, processor& p) noexcept;  // in the handler of one that was reserved
  static void give(worker& to, processor& p) noexcept {
    to.assigned.store(&p, std::memory_order_release);  // [WAKE-1] take_assigned, freeze
    wake(to);
  }
  static void wake(worker& w) noexcept { w.parker.unpark(); }  // [WAKE-1] find_place, freeze

  // ---- threads of one fiber each (own_thread.cpp)
  /// A thread that was such a one takes the caller's place among everybody's [OWN-2].
  [[nodiscard]] bool replace_by_ended_own() noexcept;
  void end_own(worker& w) noexcept;

  // ---- processors that do not serve (deactivate.cpp, watch/resizer.hpp)
  [[nodiscard]] processor* deactivate_idle(processor_counts& counts) noexcept;
  void add_inactive(processor& p) noexcept;
  [[nodiscard]] processor* take_inactive() noexcept;
  void add_idle(processor& p, processor_counts& counts) noexcept;
  [[nodiscard]] bool has_sleeper_for_one_more() noexcept;
  template <class Visit>
  void for_each_inactive(Visit&& visit) const {
    const base::lock_guard guard(lock_);
    for (const processor* p : inactive_) visit(*p);
  }

  // ---- after a burst (watch/stack_trimmer.hpp)
  /// Every worker gives its free stacks and records back before it sleeps on, or next sleeps: what
  /// a worker has at hand nobody else can take.
  void ask_to_tidy() noexcept;
  [[nodiscard]] std::uint32_t tidy_requests() const noexcept {
    return tidy_requests_.load(std::memory_order_relaxed);
  }

  // ---- the end
  void end() noexcept;  // every find_place from now on says so; the caller wakes all
  [[nodiscard]] bool has_ended() const noexcept { return ended_.load(std::memory_order_relaxed); }

 private:
  struct sleeper {
    worker* w = nullptr;
    bool in_poller = false;
  };
  [[nodiscard]] bool wakeable_in_poller() const noexcept WEFT_REQUIRES(lock_);
  bool take_assigned(worker& w) noexcept WEFT_REQUIRES(lock_);
  void attach_idle(worker& w) noexcept WEFT_REQUIRES(lock_);
  void line_up_frozen(worker& z) noexcept WEFT_REQUIRES(lock_);
  void leave_line(worker& z) noexcept WEFT_REQUIRES(lock_);
  void line_up_frozen(processor& p, worker& z) noexcept WEFT_REQUIRES(lock_);
  void wake_one() noexcept WEFT_EXCLUDES(lock_);
  void wake(sleeper s) noexcept;

  poll_source& poller_;
  monitor_word& monitor_;
  const std::int64_t frozen_slice_ns_;
  idle_state idle_;
  mutable base::ranked_futex_lock<base::lock_rank::idle> lock_;
  std::vector<processor*> processors_ WEFT_GUARDED_BY(lock_);  // the idle ones
  std::vector<processor*> inactive_ WEFT_GUARDED_BY(lock_);    // made, and not serving [RESIZE-2]
  // the last to lie down at the end: the others may end
  base::intrusive_list<worker> parked_ WEFT_GUARDED_BY(lock_);
  // threads of one fiber each, which waits [OWN-1]
  base::intrusive_list<worker> own_asleep_ WEFT_GUARDED_BY(lock_);
  // threads that were made for such, and are ordinary workers now [OWN-2]
  std::size_t own_ended_ WEFT_GUARDED_BY(lock_) = 0;
  // without a processor, each with its fiber: in the handler that preempted it, or as line_up has
  // it; oldest first
  base::intrusive_list<worker> frozen_ WEFT_GUARDED_BY(lock_);
  worker* in_poller_ WEFT_GUARDED_BY(lock_) = nullptr;

  std::atomic<bool> ended_{false};              // written under lock_
  poll_deadline poll_until_;                    // of the worker in the poller
  std::atomic<std::uint32_t> frozen_count_{0};  // written under lock_
  std::atomic<std::uint32_t> tidy_requests_{0};
};

template <class WorkInSight>
sleepers::place sleepers::find_place(worker& w, fiber_record*& left, std::uint32_t all_idle,
                                     WorkInSight&& work_in_sight) noexcept {
  const base::lock_guard guard(lock_);
  if (take_assigned(w)) return place::none;
  if (ended_.load(std::memory_order_acquire)) {  // [LIFE-3] end_threads
    if (w.linked()) w.unlink();
    return place::ended;
  }
  // [SLEEP-4] Whoever looked for a sleeper while we were in no list found none, and left its work
  // to us.
  if (!w.reserved && w.own_fiber == nullptr && work_in_sight() && idle_.try_unretire()) {
    if (w.linked()) w.unlink();
    attach_idle(w);
    w.searching = true;
    return place::none;
  }
  // posted while we were going to sleep: it needs us, and we need a processor
  if (w.bound_queue != nullptr && !w.reserved) {
    if (idle_.try_claim_idle()) {
      if (w.linked()) w.unlink();
      attach_idle(w);
      return place::none;
    }
    left = std::exchange(w.bound_queue, nullptr);
    w.resched_requested.store(0, std::memory_order_relaxed);
  }
  // In no list: the thread that reserved us wakes us, or puts us into one.
  if (w.reserved) return place::reserved;
  if (w.own_fiber != nullptr) {
    if (!w.linked()) own_asleep_.push_back(w);
    return place::list;
  }
  if (in_poller_ == nullptr && idle_.idle() >= all_idle) {  // [SLEEP-5] lie_down, before find_place
    in_poller_ = &w;
    if (w.linked()) w.unlink();
    return place::poller;
  }
  if (!w.linked()) parked_.push_back(w);
  return place::list;
}

}  // namespace weft::detail
