// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/resizer.hpp - as many processors serve as the machine grants CPUs, now: affinity and cgroup
// quota change.
//
//   service thread   1 asks the system, about once a second while anything runs; then, to have
//                      fewer: notes the surplus [RESIZE-1]   2 deactivates idle processors itself
//   worker           3 its next turn at the scheduler's own loop claims a part of the surplus - a
//                      fiber that does not come back there is preempted or retaken from, as if
//                      others waited   4 drains its processor, 5 lays it down
//                      (sched/deactivate.cpp)
//   service thread   6 to have more: takes back the surplus nobody claimed; then an inactive
//                      processor, or a new one, becomes an idle one, with a sleeper to be woken for
//                      it [RESIZE-3]
// The system is asked only if options::workers was left to us, and while the runtime is not idle:
// the monitor sleeps then. The same steps make processors serve that compensate for blocked ones
// (compensator.hpp).
// Rejected: throttled threads left to the kernel (a quota of two CPUs under eight workers stops all
// eight for most of each period, holders of locks among them); ending threads (a spare costs
// nothing asleep).

#include <atomic>
#include <cstdint>

#include "sched/scheduler.hpp"
#include "watch/service_thread.hpp"

namespace weft::detail {

class resizer {
 public:
  resizer(scheduler& s, service_thread& service) noexcept
      : s_(s), service_(service), read_ns_(os::now_ns()), granted_(s.counts().serving()) {}
  /// By the monitor, in every round; the work is the service thread's, for it may allocate [MON-3].
  void watch(std::int64_t now) noexcept;
  /// The monitor has asked, and the answer is not in [SERVICE-3].
  [[nodiscard]] bool is_due() const noexcept { return due_.is_open() || change_.is_open(); }
  /// By the monitor: so many serve beside those that CPUs or options::workers grant.
  void compensate(std::size_t extra) noexcept;
  void resize() noexcept;  // by the service thread

 private:
  bool deactivate_idle() noexcept;
  bool activate_one_more() noexcept;

  friend struct watch_probe;  // tests
  scheduler& s_;
  service_thread& service_;
  std::int64_t read_ns_;  // monitor: when it last had somebody ask how many CPUs are ours
  question due_;
  question change_;                    // of extra_
  std::atomic<std::size_t> extra_{0};  // relaxed: the monitor asks after it has stored
  // ---- the service thread's
  std::uint32_t granted_;  // without those
  bool compensates_ = false;
  std::atomic<std::int64_t> every_ns_{1'000'000'000};  // relaxed; only tests change it
};

}  // namespace weft::detail
