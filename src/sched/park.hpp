// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/park.hpp - waiting and waking: all that the layers above build on.
//
//   waits:                                           wakes:
//     fiber_record& self = this_agent();
//     ticket t = begin_park(self, reason, ...);
//     ... put t where wakers look (under the object's lock) ...
//     wake_code why = finish_park(self, deadline);     wake(t, code)
// The same for fibers and plain threads. The protocol is PARK-1..3 in fiber_word.hpp.

#include <atomic>
#include <cstdint>
#include <iterator>
#include <stop_token>
#include <utility>

#include <weft/detail/export.hpp>

#include "fiber/record.hpp"
#include "sched/hooks.hpp"
#include "sched/timer_queue.hpp"
#include "sched/worker.hpp"

namespace weft::detail {

/// The record of the calling fiber, or of the calling plain thread.
[[nodiscard]] fiber_record& this_agent();

inline ticket begin_park(fiber_record& self, park_reason why, const void* object = nullptr,
                         stoppable st = stoppable::no) noexcept {
  self.reason.store(why, std::memory_order_relaxed);
  self.wait_object.store(object, std::memory_order_relaxed);
  return self.make_ticket(self.word.begin_park(st));
}

/// Waits until a waker wins the wake of this park, or the deadline (CLOCK_MONOTONIC, ns) does. May
/// return on another thread. Must follow every begin_park that was not cancelled.
[[WEFT_SWITCHES]] wake_code finish_park(fiber_record& self,
                                        std::int64_t deadline_ns = timer_queue::never);

/// The same, but gives the park up if there is no memory for its deadline and the wake is not won:
/// `starved` then, and the code is timeout.
wake_code finish_park_if_stored(fiber_record& self, std::int64_t deadline_ns, bool& starved);

/// As finish_park, for a caller that has been inside weft since begin_park, and stays there: `w` is
/// the calling worker, before and after; null on a plain thread.
[[WEFT_SWITCHES]] wake_code finish_park_inside(fiber_record& self, worker*& w,
                                               std::int64_t deadline_ns = timer_queue::never);

/// Undoes begin_park, if the ticket was not given away or a condition came true meanwhile. Returns
/// false if a waker has won the wake already; self.word.code() says with what.
inline bool cancel_park(fiber_record& self) noexcept {
  const bool undone = self.word.cancel_park();
  self.reason.store(park_reason::none, std::memory_order_relaxed);
  return undone;
}

/// Its runtime has ended without it. For records whose fiber lives.
[[nodiscard]] bool is_left_behind(const fiber_record& f) noexcept;

/// Called by each fiber that is about to park, on its stack, inside weft; null: by none.
/// weft::lock_detector sets it before main, and stack_look.cpp when the first stack without a guard
/// page is taken [PARK-4].
WEFT_API extern constinit std::atomic<void (*)(fiber_record&) noexcept> before_park;

/// Behind the others that wait for this processor; on a plain thread, for a CPU.
WEFT_API [[WEFT_SWITCHES]] void yield() noexcept;

/// For calls that may park: a fiber whose slice is over yields there even if it need not wait, so
/// it cannot keep its processor by never having to. Called outside weft, before or after such a
/// call, so that nothing of the call is disturbed. What only wakes others (set, notify, release,
/// unlock, close) does not: it is called by destructors and stop callbacks.
[[gnu::noinline, gnu::cold]] void yield_if_requested() noexcept;
inline void yield_if_requested_slow() noexcept {
  const worker* w = this_worker();
  // the monitor's; late will do
  if (w != nullptr && w->resched_requested.load(std::memory_order_relaxed) != 0) [[unlikely]]
    yield_if_requested();
}

/// For calls that move data. At their beginning: the fiber yields if it was requested to, or if it
/// has moved enough in this step [ORDER-7]. `held` is a hint outside weft: after a retake it is the
/// processor that was.
inline void yield_before_transfer() noexcept {
  const worker* w = this_worker();
  if (w == nullptr) return;
  const processor* p = w->held;
  if (w->resched_requested.load(std::memory_order_relaxed) != 0 ||
      (p != nullptr && w->budget.is_spent(p->tick.load(std::memory_order_relaxed)))) [[unlikely]]
    yield_if_requested();
}
/// At their end: it has moved so much.
inline void count_transfer(std::size_t bytes) noexcept {
  worker* w = this_worker();
  if (w == nullptr) return;
  if (const processor* p = w->held) w->budget.spend(p->tick.load(std::memory_order_relaxed), bytes);
}

/// Ends the park the ticket belongs to. False: it has ended already.
bool wake(ticket t, wake_code code = wake_code::ready) noexcept;

/// What a std::stop_callback of weft's own does. The calling fiber keeps its thread [CB-2].
void wake_from_callback(ticket t, wake_code code) noexcept;

/// The caller has won the wake of `f` and owes it a queue.
void enqueue(fiber_record& f) noexcept;

/// What a stop request has to run outside every lock.
struct stop_work {
  std::stop_source source{std::nostopstate};  // the user's callbacks
  stop_listener* listener = nullptr;          // pinned
  fiber_record* woken = nullptr;              // is owed a queue
  explicit operator bool() const noexcept {
    return source.stop_possible() || listener != nullptr || woken != nullptr;
  }
  void run() noexcept;
};
/// A few, so that many can be asked to stop without memory: full, it is run, and the next few
/// follow.
class stop_batch {
 public:
  [[nodiscard]] bool full() const noexcept { return n_ == std::size(work_); }
  void add(stop_work&& w) noexcept {  // not full
    if (w) work_[n_++] = std::move(w);
  }
  void run() noexcept {
    for (std::size_t i = 0; i < n_; ++i) work_[i].run();
  }

 private:
  stop_work work_[64];
  std::size_t n_ = 0;
};
/// The two halves of request_stop: the callbacks; then flag, wait and listener.
[[nodiscard]] stop_work begin_stop(fiber_record& f) noexcept;
[[nodiscard]] stop_work mark_stopped(fiber_record& f) noexcept;
/// By that fiber, inside weft: it must stay on its thread [CB-1].
[[nodiscard]] bool runs_stop_callbacks(const fiber_record& self) noexcept;
/// Sets the stop flag of `f` and ends a stoppable wait. The caller keeps the record alive.
void request_stop(fiber_record& f) noexcept;

// ---- the end of a fiber, outside weft
inline void finish_in_user_mode(fiber_record& f) noexcept {
  if (!f.ends_plainly() || f.join.is_detached()) upper.finish_rare(f);
}

}  // namespace weft::detail
