// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/dump_trigger.hpp - a dump on stderr by a signal, and before a crash.
//
//   handler          1 requests one, wakes the service threads
//   crash's handler  2 waits until it is written, for two seconds at most
//                    3 passes the signal to the handler that was there before
//   service thread     makes a thread for it
//
// The handler of a crash makes only atomic operations and futex calls: malloc may be broken, or a
// lock of weft's. Then the dump stops in the middle, and the process still ends. The registers of
// the crashed fiber are left as those of a frozen one.

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
