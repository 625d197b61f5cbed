// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/metrics.hpp - what the runtimes are doing, in numbers: for dashboards, alarms and tests.
//
//   const weft::process_metrics now = weft::metrics();
//   reply(weft::to_prometheus(now));                       // text/plain; version=0.0.4
//
// Counting costs what it must: each thread adds to counters of its own, without an atomic
// read-modify-write, and a snapshot sums them. Counters only grow while their runtime lives;
// everything else is the state of a moment, and as the moment passes while it is read, sums may be
// off by what happened meanwhile. WEFT_SCHEDTRACE=1000 ./app prints a line like it on stderr every
// 1000 ms, for each runtime.

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <weft/offload.hpp>

namespace weft {

class runtime;

/// How long something took, counted in intervals that are a quarter of a power of two wide, from
/// 128 ns to 4.6 min. So what it says of a quantile is right within 25 %.
struct latency_histogram {
  static constexpr std::size_t size = 126;

  std::array<std::uint64_t, size> counts{};
  std::chrono::nanoseconds sum{0};

  [[nodiscard]] static constexpr std::size_t index_of(std::int64_t ns) noexcept {
    if (ns < 128) return 0;
    const auto value = static_cast<std::uint64_t>(ns);
    const auto octave = static_cast<std::size_t>(std::bit_width(value)) - 8;
    const std::size_t index = 1 + octave * 4 + ((value >> (octave + 5)) & 3);
    return index < size ? index : size - 1;
  }
  /// Everything counted in [0, i] took less than this. The last interval has no end.
  [[nodiscard]] static constexpr std::chrono::nanoseconds end_of(std::size_t i) noexcept {
    if (i == 0) return std::chrono::nanoseconds(128);
    if (i >= size - 1) return std::chrono::nanoseconds::max();
    return std::chrono::nanoseconds(static_cast<std::int64_t>(5 + (i - 1) % 4)
                                    << (5 + (i - 1) / 4));
  }
  [[nodiscard]] std::uint64_t count() const noexcept;
  /// What a share `q` in [0, 1] of them did not exceed: the end of the interval it falls into; 0 if
  /// there are none.
  [[nodiscard]] std::chrono::nanoseconds quantile(double q) const noexcept;
};

/// One processor: the right to run fibers, with its queue.
struct processor_metrics {
  std::size_t index;
  bool serving;  // false: laid down, the machine grants fewer CPUs
  bool busy;     // some thread holds it
  // in its deque; of those its holder has claimed, up to 15 may have run already
  std::size_t queued;
  bool next;  // one more in the slot for who runs next
  // deadlines; ends of waits that ended otherwise are among them for a while
  std::size_t timers;
  // since the start: looks for the next fiber, vain ones included; lags by up to 61 while it is
  // busy
  std::uint64_t steps;
};

/// One thread that runs fibers.
struct worker_metrics {
  std::size_t index;
  std::int32_t thread_id;  // as ps -L and top -H know it
  std::int32_t processor;  // it holds; -1: none
  std::chrono::nanoseconds cpu_time;
};

/// Counters are since the runtime's start, unless they say otherwise.
struct runtime_metrics {
  std::string name;
  std::uint32_t number;  // of the runtime in this process, from 1
  std::chrono::nanoseconds uptime;

  // ---- fibers
  std::uint64_t spawned, ended;
  std::size_t alive;
  std::size_t waiting;   // parked
  std::size_t runnable;  // in some queue, or frozen by a preemption
  // what is left of those alive; blocked in the kernel included
  std::size_t running;

  // ---- processors and threads
  std::size_t serving;    // processors in service
  std::size_t busy;       // of them, held by a thread
  std::size_t searching;  // of those, without a fiber so far
  std::size_t threads;    // that run fibers
  std::size_t asleep;     // of them: parked, or waiting in the poller
  // of them: blocked in the kernel, or back from there without a processor so far
  std::size_t detached;
  std::size_t frozen;  // of them: stopped with a fiber that computed for too long
  std::vector<processor_metrics> processors;
  std::vector<worker_metrics> workers;
  std::size_t injected_now;  // in the queue that anybody may put into

  // ---- what happened
  std::uint64_t steps;               // see processor_metrics
  std::uint64_t parks, wakes;        // of fibers that left their stack to wait
  std::uint64_t injected;            // fibers taken from the inject queue
  std::uint64_t steals, stolen;      // successful steal sessions; fibers they brought
  std::uint64_t sleeps;              // a thread found nothing to do
  std::uint64_t retakes;             // processors taken from threads that blocked
  std::uint64_t preemptions;         // threads frozen
  std::uint64_t stalls;              // told to options::on_stall; 0 if nobody asked for it
  std::uint64_t polls, poll_events;  // looks at the descriptors; fibers they readied
  std::uint64_t timers_fired;

  /// From being readied to running. `wake_latency`: fibers whose wait ended, one wake of a thread
  /// in 64, at random. `start_latency`: new fibers, one spawn of a thread in 4096 and its first
  /// one, one in 16 from outside; those that their joiner ran on its own stack are left out. A
  /// fiber that yields waits for nothing, and is not counted.
  latency_histogram wake_latency, start_latency;

  offload_statistics offloads;
};

/// The stacks of one size. What a stack has touched is known by its pages; those that were given
/// back and dropped are looked at before, one in a batch.
struct stack_metrics {
  std::size_t size;  // options::stack_size, attributes::stack_size
  std::size_t made;  // exist
  // of them, in nobody's hands; others are a fiber's, or in a thread's cache
  std::size_t free;
  std::size_t looked_at;       // how many the next three are about: all, or 1024 of them evenly
  std::size_t touched_median;  // bytes, whole pages
  std::size_t touched_99;      // what 99 of 100 do not exceed
  std::size_t touched_most;    // of those, and of all that were dropped before
  /// The smallest size in which `touched_most` fits with a quarter to spare. A recursion of joins
  /// uses what stack it gets: where fibers join fibers, it says what was used, not what was needed.
  std::size_t suggested;
};

struct process_metrics {
  std::chrono::system_clock::time_point time;
  std::vector<runtime_metrics> runtimes;
  // shared by all runtimes; sizes that were never used are left out
  std::vector<stack_metrics> stacks;
};

/// Of all runtimes that live. Blocks: for microseconds a runtime, and about 1 us for each stack
/// looked at.
/// Throws: std::bad_alloc.   Any thread, any fiber.   Example: test/unit/metrics_test.cpp
[[nodiscard]] process_metrics metrics();
/// Of one. Blocks: for microseconds.   Throws: std::bad_alloc.
[[nodiscard]] runtime_metrics metrics(const runtime& rt);

/// The text format of Prometheus, version 0.0.4. Every series of a runtime has the labels runtime
/// (its name) and number.
[[nodiscard]] std::string to_prometheus(const process_metrics& m);

}  // namespace weft
