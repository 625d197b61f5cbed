// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/deadlock_report.hpp - checks whether any fiber of a long idle runtime can ever run again.
//
// Certain is (options::on_deadlock)  a cycle of fibers (GRAPH-1); or that all fibers of all
// runtimes are parked, none for time, a descriptor or an offloaded call, no timer is set, and the
// process has no thread but weft's own and those parked in weft without a deadline. So every agent
// that could wake another waits to be woken. Only signal handlers remain, and of those nothing is
// known.
// Rejected: a report after some time of idleness in general (a server without clients is no
// deadlock).

namespace weft::detail {

class scheduler;
/// On the service thread. Each situation is reported once.
void check_for_deadlock(scheduler& s);

}  // namespace weft::detail
