// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/counters.hpp - what a worker counts, and how long fibers wait for their turn.
//
//   counters  each worker has its own (base/counter.hpp); a snapshot sums them (watch/metrics.cpp)
//   latency   a fiber chosen at random gets the clock and the flag `timed` when it becomes ready;
//             the worker that turns to it next reads that flag anyway, together with `pinned`, and
//             counts the difference
// Rejected: timing every fiber (two looks at the clock are 40 ns, a yield is 10 to 20); one wake in
// a fixed number (two fibers that wake each other in turn: it would always be the same one).

#include <array>
#include <cstdint>

#include <weft/metrics.hpp>

#include "base/counter.hpp"
#include "base/rng.hpp"
#include "fiber/record.hpp"
#include "os/os.hpp"

namespace weft::detail {

class latency_counts {
 public:
  void add(std::int64_t ns) noexcept {
    counts_[latency_histogram::index_of(ns)].add();
    sum_ns_.add(static_cast<std::uint64_t>(ns > 0 ? ns : 0));
  }
  void add_to(latency_histogram& h) const noexcept {
    for (std::size_t i = 0; i < h.counts.size(); ++i) h.counts[i] += counts_[i].get();
    h.sum += std::chrono::nanoseconds(sum_ns_.get());
  }

 private:
  std::array<base::counter, latency_histogram::size> counts_;
  base::counter sum_ns_;
};

struct poll_counters {
  base::counter polls, poll_events;
};

// Its own thread writes.
struct worker_counters : poll_counters {
  static constexpr std::uint32_t wakes_per_sample = 64;

  base::counter wakes;
  std::uint64_t sample_at = 1;  // the wake that is timed next
  base::counter parks;
  base::counter injected, steals, stolen, sleeps, timers_fired;
  latency_counts wake_latency, start_latency;

  void next_sample(base::rng& random) noexcept {
    sample_at = wakes.get() + 1 + random.below(2 * wakes_per_sample - 1);
  }
};

/// The caller owns `f`, which is about to be queued.
inline void start_clock(fiber_record& f, std::int64_t now_ns) noexcept {
  f.ready_ns = now_ns;
  f.set(fiber_record::timed);
}
/// The caller is about to run `f`, which is `timed`.
inline void stop_clock(worker_counters& c, fiber_record& f) noexcept {
  f.clear(fiber_record::timed);
  (f.context == nullptr ? c.start_latency : c.wake_latency).add(os::now_ns() - f.ready_ns);
}

}  // namespace weft::detail
