// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/running_snapshot.hpp - the stack of a fiber that runs: its own thread is asked for a copy,
// by options::preempt_signal.
//
//   reporter  1 says which thread and fiber, asked     2 signals the thread     3 waits, a bounded
//             time
//   handler   takes the question (it is the thread), copies, is done
//   reporter  too late: withdraws it; the handler then finds nothing to do
// snapshot_request.hpp says which side owns the copy [RUN-1]. One report at a time (runtimes_held).
// A thread that sleeps in the kernel is asked only where the call goes on by itself afterwards
// (SA_RESTART): a sleep or a poll would end early, for nothing more than a report.

#include <string>

#include "debug/stack_copy.hpp"
#include "fiber/record.hpp"
#include "sched/worker.hpp"

namespace weft::detail {

/// Idempotent; before the runtime's own handler.
void install_running_snapshot(int signal) noexcept;

enum class snapshot_outcome : std::uint8_t { copied, no_answer, left_in_peace };

/// `f` was seen to run on `w`. `copied`: its stack is in `out`, which is good until the next call.
[[nodiscard]] snapshot_outcome snapshot_running(worker& w, const fiber_record& f, int signal,
                                                stack_copy*& out);

/// The system call the thread is in; -1: none, or not known.
struct kernel_stay {
  long call = -1;
  bool restarts = false;  // after a signal, as if there had been none
};
[[nodiscard]] kernel_stay where_in_kernel(pid_t thread);
/// `futex (202)`.
[[nodiscard]] std::string system_call_text(long call);

}  // namespace weft::detail
