// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/deadlock_report.hpp - a runtime that has been idle for long: can anything in it ever run
// again?
//
// Certain is (options::on_deadlock)  a cycle of fibers (GRAPH-1); or that all fibers of all
// runtimes are parked, none for time, a descriptor or an offloaded call, no timer is set, and the
// process has no thread but weft's own and those parked in weft without a deadline. So whoever
// could wake somebody waits to be woken. Of what is left, signal handlers, nobody can tell.
// Rejected: a report after some time of idleness in general (a server without clients is no
// deadlock).

namespace weft::detail {

class scheduler;
/// On the service thread's thread. Each state of affairs is told once.
void check_for_deadlock(scheduler& s);

}  // namespace weft::detail
