// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/stalls.hpp - the user is told, once each, of fibers that keep their thread for long without
// calling weft.
//
//   computing   CPU time since the call it came from, its frozen time not counted: the monitor sees
//               the same tick, or a tick that began with a thaw
//   blocked     time since it was first seen; by then it has usually lost its processor, and is in
//               `detached_`
// The fiber's name is read while the monitor holds its worker's gate: then the worker is not
// inside, and `current` stays. Its calls are found by the service thread, as for a dump: a signal
// has the thread copy its stack, unless it sleeps in a call that would end early.
// Rejected: looking up their names there, too (a second of reading debug information, and no spare
// is made meanwhile).

#include <cstdint>
#include <vector>

#include "base/counter.hpp"
#include "sched/scheduler.hpp"
#include "watch/service_thread.hpp"

namespace weft::detail {

class stalls {
 public:
  stalls(scheduler& s, service_thread& service);

  // ---- by the monitor
  /// The holder of `p` has not come back to the scheduler; `still`: its CPU clock stands.
  void watch(processor& p, worker& w, std::int64_t now, std::int64_t cpu, bool still) noexcept;
  void begin_detached(worker& w, std::int64_t since) noexcept;  // its gate is taken
  void watch_detached(std::int64_t now) noexcept;
  [[nodiscard]] bool any_detached() const noexcept { return !detached_.empty(); }
  // ---- by the service thread
  void report() noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_.get(); }

 private:
  [[nodiscard]] bool matter() const noexcept;
  bool leave_report(worker& w, std::int64_t took, stall_kind kind) noexcept;  // false: later

  scheduler& s_;
  service_thread& service_;
  // monitor: retaken and not told of; has room for all
  std::vector<worker*> detached_;
  base::counter count_;  // the monitor writes
};

}  // namespace weft::detail
