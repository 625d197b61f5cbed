// SPDX-License-Identifier: BSL-1.0
// sched/wake_samples.cpp - which wakes are timed: one in some, at random; of threads that are no
// workers of the fiber's runtime, one in 64.
#include "sched/runtime_entry.hpp"

namespace weft::detail {

void sample_wake(worker& w, fiber_record& f) noexcept {
  w.counters.next_sample(w.random);
  start_clock(f, os::now_ns());
}

// By threads of other runtimes, and those that are no workers.
void scheduler::count_outside_wake(fiber_record& f) noexcept {
  const std::uint64_t n = outside_.wakes.fetch_add(1, std::memory_order_relaxed);
  if (n % worker_counters::wakes_per_sample == 0) start_clock(f, os::now_ns());
}

}  // namespace weft::detail
