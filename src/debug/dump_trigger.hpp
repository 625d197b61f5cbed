// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/dump_trigger.hpp - a dump on stderr by a signal, and before a crash.
//
//   handler   1 asks for one, rings the service threads     crash: 2 waits until it is written, two
//             seconds at most
//   service thread      makes a thread for it               3 goes on to whoever handled the signal
//                       before
// The handler of a crash does atomics and futex calls only: what is broken may be malloc, or a lock
// of weft's, and then the dump stops in the middle and the process ends all the same. The crashed
// fiber's registers are left as a frozen one's.

#include <weft/options.hpp>

namespace weft::detail {

struct worker;

/// By the first runtime that wants them.
void install_dump_triggers(const options& o);
/// By a service thread: makes the thread, if a dump was asked for.
void write_dump_if_asked() noexcept;
/// Crashes are not dumped any more.
void forget_crash_dump() noexcept;
/// The worker on which the process crashed; null: it has not.
[[nodiscard]] const worker* crashed_worker() noexcept;

}  // namespace weft::detail
