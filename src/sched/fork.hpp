// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/fork.hpp - fork() copies one thread and all of the memory: a runtime without its workers,
// and locks whose holders are gone.
//
//   before   counts the runtimes that have threads
//   child    if there are any: notes it; a forking fiber's worker loses its processor, so that its
//            next way into weft is the slow one
//   check    on slow paths only: spawn from outside, a plain thread's wait, a new runtime, coming
//            back without a processor
// exec and posix_spawn need none of this. A child of a process whose runtimes have all ended may
// use weft.
// Rejected: making the runtime anew in the child (its fibers' stacks are there, what they wait for
// is not).

namespace weft::detail {

void runtime_has_threads();  // before the first one is made; throws std::system_error
void runtime_lost_threads() noexcept;

[[nodiscard]] bool is_forked_child() noexcept;
/// Says what is wrong and aborts, in a child of a process that had a runtime.
void refuse_in_forked_child() noexcept;

}  // namespace weft::detail
