// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/debug.hpp - what all fibers of the process do now, and which of them wait for each other.

#include <cstdint>
#include <string>
#include <vector>

#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

namespace weft {
namespace WEFT_API debug {

/// Describes all fibers of all runtimes in words: id, name, what each does or waits for, since
/// when, which fiber holds that, and its calls.
///
/// Fibers that do the same in the same place are one paragraph, with their number. The largest
/// paragraphs come first, and the text says how many it leaves out. Cycles of fibers that wait for
/// each other are named at the top. The time a fiber has been parked is exact to a round of the
/// monitor, some milliseconds. The holder of a mutex is known, unless it is a plain thread whose
/// code was compiled without assertions.
///
/// The fibers run on meanwhile. Each is described as it was at one moment, but not all at the same
/// moment. May be called on any thread or fiber; for signal handlers see options::dump_signal.
/// Blocks: the calling thread. To get the stacks of running fibers it signals their threads
/// (options::preempt_signal) and waits up to 50 ms for each. A fiber whose thread sleeps in the
/// kernel is named with its system call, and is not disturbed if a signal would end that call
/// early. No runtime starts or ends meanwhile. 100,000 parked fibers take some tens of
/// milliseconds.
/// Throws: std::bad_alloc.
/// Example: test/unit/examples_api_test.cpp [dump]
/// ```
///   weft::event never;
///   auto waits = weft::spawn({.name = "reader"}, [&] { never.wait(); });
///   weft::this_fiber::yield();
///   const std::string dump = weft::debug::dump_fibers();  // names "reader" and what it waits for
///   std::fputs(dump.c_str(), log);
///   never.set();
///   waits.join();
/// ```
[[nodiscard]] std::string dump_fibers();

/// One fiber of a deadlock.
struct stuck_fiber {
  /// Its id.
  std::uint64_t id;
  /// In words: `fiber 12 "reader"`, `thread 3`.
  std::string name;
  /// In words: `waits for mutex 0x7f.., held by fiber 13`.
  std::string waits;
};

/// Fibers each of which waits for the next one, and the last for the first.
struct deadlock {
  /// The fibers, in this order.
  std::vector<stuck_fiber> cycle;
  /// The whole report in words.
  std::string text;
};

/// Finds the cycles of fibers that wait for each other by mutexes, joins and scopes. Fibers that
/// merely wait for one in a cycle are not listed.
///
/// Every cycle found is certain: its fibers never run again. Waits with a deadline end by
/// themselves and belong to no cycle; nor do channels, conditions and events, which any fiber may
/// end.
/// Blocks: as dump_fibers, but without stacks: some ten nanoseconds for each fiber.
/// Throws: std::bad_alloc.
/// Example: test/unit/deadlock_test.cpp [example]
[[nodiscard]] std::vector<deadlock> find_deadlocks();

}  // namespace WEFT_API debug
}  // namespace weft
