// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/stack_trimmer.hpp - this runtime's share in giving back the memory of idle stacks and
// records (fiber/stack_trim.hpp): the monitor claims it, the service thread does it. In each period
// sleeping workers are asked for what they have at hand.

#include <atomic>
#include <cstdint>
#include <utility>

#include "fiber/stack_trim.hpp"
#include "os/os.hpp"
#include "sched/sleepers.hpp"
#include "watch/service_thread.hpp"

namespace weft::detail {

class stack_trimmer {
 public:
  stack_trimmer(service_thread& service, sleepers& sleeping) noexcept
      : service_(service), sleeping_(sleeping) {}

  void watch() noexcept {  // by the monitor
    if (!trim_claim.claim()) return;
    claimed_.store(true, std::memory_order_relaxed);
    service_.wake();
  }
  /// By the service thread; when next, INT64_MAX for never.
  std::int64_t trim() noexcept {
    // Taken back first: when trim_stacks has ended our claim, the next one may be the monitor's
    // before we are here again.
    if (!claimed_.exchange(false, std::memory_order_relaxed)) return INT64_MAX;
    const std::int64_t now = os::now_ns(), next = trim_stacks(now);
    if (next == INT64_MAX) return next;
    claimed_.store(true, std::memory_order_relaxed);
    if (next != now) sleeping_.ask_to_tidy();  // now: there is more to do at once
    return next;
  }
  void end() noexcept {  // after both threads
    if (claimed_.exchange(false, std::memory_order_relaxed)) trim_claim.unclaim();
  }

 private:
  service_thread& service_;
  sleepers& sleeping_;
  std::atomic<bool> claimed_{false};  // relaxed: before the service thread is called
};

}  // namespace weft::detail
