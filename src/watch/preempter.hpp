// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/preempter.hpp - the processor of a thread that computes on and on goes to a spare one; the
// thread freezes with its fiber, in a signal handler, until some worker gives it a processor again.
//
//   monitor   1 reserves a spare as the worker's successor   2 notes the tick   3 sends the signal
//   handler   1 inside weft, or in a section of it under a lock: sets `resched_requested`, returns
//             2 enters, the tick is the same, nothing forbids it 3 takes the successor, gives it
//               the processor, wakes it          4 sleeps on its futex
//   spare     puts the frozen thread last in line, runs the others for a slice (service_order.hpp)
//   thaw      the first in line is given a processor (sched/thaw.cpp); the handler returns into the
//             user's code
// The successor is a spare; if no thread is to be had, the frozen one that is first in line
// [PREEMPT-3]. The fiber never leaves its thread, so whatever it is in the middle of - malloc, a
// throw, a lock - is as safe as when the kernel preempts a thread. The handler does atomics and
// futex calls only; no thread is made in it. The request, with PREEMPT-1 and PREEMPT-2, is
// preempt_request.hpp.
// Rejected: switching the fiber away inside the handler (a lock taken in user code would change
// threads); a frozen thread that looks every so often whether the monitor gets on, and goes on by
// itself if not (a timer for each, and a lock in a handler, against what MON-3 makes impossible).

#include <atomic>
#include <cstdint>

#include <signal.h>

#include "sched/scheduler.hpp"
#include "watch/spares.hpp"

namespace weft::detail {

class preempter {
 public:
  /// Throws std::system_error if no handler can be installed for options::preempt_signal.
  preempter(scheduler& s, spares& spare);

  // ---- by the monitor
  bool ask(processor& p, worker& w) noexcept;  // false: a spare is on its way
  /// Successors whose worker came back to the scheduler before the signal found it; and a frozen
  /// one after a while, since others may have a turn for it.
  void collect_successors() noexcept;
  [[nodiscard]] bool any_successor() const noexcept { return successors_ > 0; }
  /// Of the successors, those that are frozen.
  [[nodiscard]] bool any_standing_by() const noexcept { return standing_by_ > 0; }
  [[nodiscard]] worker* take_back_standing_by() noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept {
    return count_.load(std::memory_order_relaxed);
  }

 private:
  static bool on_signal(int signal, siginfo_t* info, void* context);
  void freeze(worker& w, const void* context) noexcept;  // in the signal handler

  scheduler& s_;
  spares& spares_;
  std::atomic<std::uint64_t> count_{0};
  // monitor: provided, and those of them that are frozen; or were, a round ago
  int successors_ = 0, standing_by_ = 0;
};

}  // namespace weft::detail
