// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/debug.hpp - what all fibers of the process are doing now, and which of them wait for each
// other.

#include <cstdint>
#include <string>
#include <vector>

#include <weft/detail/requirements.hpp>

namespace weft::debug {

/// All fibers of all runtimes in words: id, name, what each does or waits for, since when, who
/// holds it, and its calls.
///
/// Fibers that do the same in the same place are one paragraph, with their number; the largest come
/// first, and the text says how many it leaves out. Cycles of fibers that wait for each other are
/// named at the top. How long a fiber has been parked is exact to a round of the monitor, some
/// milliseconds. Who holds a mutex is known unless it is a plain thread that was compiled without
/// assertions. Stacks are known on x86-64.
///
/// The fibers go on meanwhile; each is told of as it was at one moment, not all at the same.
/// Blocks: the calling thread; for the stacks of running fibers it signals their threads
/// (options::preempt_signal) and waits up to 50 ms for each. One whose thread sleeps in the kernel
/// is named with its system call, and is not disturbed if the call would end early. No runtime
/// starts or ends while it looks. 100,000 parked fibers take some tens of milliseconds.
/// Throws: std::bad_alloc.   Any thread or fiber may call it; in signal handlers, see
///                           options::dump_signal.
/// Example: test/unit/dump_test.cpp [example]
[[nodiscard]] std::string dump_fibers();

/// One fiber of a deadlock.
struct stuck_fiber {
  std::uint64_t id;
  std::string name;   // "fiber 12 "reader"", "thread 3"
  std::string waits;  // "waits for mutex 0x7f.., held by fiber 13"
};

/// Fibers of which each waits for the next, and the last for the first.
struct deadlock {
  std::vector<stuck_fiber> cycle;
  std::string text;  // all of it, in words
};

/// The cycles there are now, by mutexes, joins and scopes; those who merely wait for somebody in a
/// cycle are not told.
///
/// What is found is certain: such fibers never go on. Waits with a deadline end by themselves and
/// are no part of any, nor are channels, conditions and events, which anybody may end. Cost and
/// blocking as dump_fibers, without the stacks: a few ten nanoseconds for each fiber. Throws:
/// std::bad_alloc.
/// Example: test/unit/deadlock_test.cpp [example]
[[nodiscard]] std::vector<deadlock> find_deadlocks();

}  // namespace weft::debug
