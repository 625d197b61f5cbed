// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/metrics.hpp - the runtimes in numbers: for dashboards, alerts and tests.
//
//   const weft::process_metrics now = weft::metrics();
//   reply(weft::to_prometheus(now));                       // text/plain; version=0.0.4
//
// Each thread adds to counters of its own, without an atomic read-modify-write, and a snapshot sums
// them. Counters only grow while their runtime lives. Everything else is the state of a moment;
// because the process goes on while it is read, sums may be off by what happened meanwhile.
// WEFT_SCHEDTRACE=1000 ./app prints a line like it to stderr every 1000 ms, for each runtime.

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <weft/detail/export.hpp>
#include <weft/offload.hpp>

namespace WEFT_API weft {

class runtime;

/// Counts how long something took, in intervals that are a quarter of a power of two wide, from 128
/// ns to 4.6 min. A quantile is therefore exact within 25 %.
struct latency_histogram {
  /// The number of intervals.
  static constexpr std::size_t size = 126;

  /// How many values fell into each interval.
  std::array<std::uint64_t, size> counts{};
  /// The sum of all values.
  std::chrono::nanoseconds sum{0};

  /// The interval that a value in nanoseconds falls into.
  [[nodiscard]] static constexpr std::size_t index_of(std::int64_t ns) noexcept {
    if (ns < 128) return 0;
    const auto value = static_cast<std::uint64_t>(ns);
    const auto octave = static_cast<std::size_t>(std::bit_width(value)) - 8;
    const std::size_t index = 1 + octave * 4 + ((value >> (octave + 5)) & 3);
    return index < size ? index : size - 1;
  }
  /// The end of interval `i`: all values counted in [0, i] were less. The last interval has no end.
  [[nodiscard]] static constexpr std::chrono::nanoseconds end_of(std::size_t i) noexcept {
    if (i == 0) return std::chrono::nanoseconds(128);
    if (i >= size - 1) return std::chrono::nanoseconds::max();
    return std::chrono::nanoseconds(static_cast<std::int64_t>(5 + (i - 1) % 4)
                                    << (5 + (i - 1) / 4));
  }
  /// How many values were counted.
  [[nodiscard]] std::uint64_t count() const noexcept;
  /// The value that a share `q` in [0, 1] of all did not exceed: the end of the interval it falls
  /// into; 0 if nothing was counted.
  [[nodiscard]] std::chrono::nanoseconds quantile(double q) const noexcept;
};

/// One processor: the right to run fibers, with its queue.
struct processor_metrics {
  /// Its number, from 0.
  std::size_t index;
  /// False if it is inactive: the machine grants fewer CPUs, or fewer fibers block than before.
  bool serving;
  /// True if a thread holds it.
  bool busy;
  /// Fibers in its deque. Of those that the holder has claimed, up to 15 may have run already.
  std::size_t queued;
  /// True if one more fiber is in its next slot.
  bool next;
  /// Deadlines in its queue. Those of waits that have ended otherwise stay in it for a while.
  std::size_t timers;
  /// How often its holder looked for the next fiber since the start, in vain or not. Lags by up to
  /// 61 while it is busy.
  std::uint64_t steps;
};

/// One thread that runs fibers.
struct worker_metrics {
  /// Its number, from 0.
  std::size_t index;
  /// Its id as ps -L and top -H show it.
  std::int32_t thread_id;
  /// The processor it holds; -1 if none.
  std::int32_t processor;
  /// The CPU time it has used.
  std::chrono::nanoseconds cpu_time;
};

/// One runtime. Counters are since its start, unless they say otherwise.
struct runtime_metrics {
  /// options::name.
  std::string name;
  /// Its number in this process, from 1.
  std::uint32_t number;
  /// How long it has been running.
  std::chrono::nanoseconds uptime;

  // ---- fibers
  /// Fibers spawned.
  std::uint64_t spawned;
  /// Fibers that have ended.
  std::uint64_t ended;
  /// Fibers alive now.
  std::size_t alive;
  /// Of them, parked.
  std::size_t waiting;
  /// Of them, in a queue, or frozen by a preemption.
  std::size_t runnable;
  /// The rest of them: running, or blocked in the kernel.
  std::size_t running;

  // ---- processors and threads
  /// Processors in service.
  std::size_t serving;
  /// Of them, held by a thread.
  std::size_t busy;
  /// Of those, held by a thread that looks for a fiber.
  std::size_t searching;
  /// Threads that run fibers.
  std::size_t threads;
  /// Of them, parked or waiting in the poller.
  std::size_t asleep;
  /// Of them, blocked in the kernel, or back from there and still without a processor.
  std::size_t detached;
  /// Of them, stopped together with a fiber that computed for too long, or that waits for a
  /// processor in a std::stop_callback.
  std::size_t frozen;
  /// Each processor.
  std::vector<processor_metrics> processors;
  /// Each thread that runs fibers.
  std::vector<worker_metrics> workers;
  /// Fibers in the inject queue, which any thread may add to.
  std::size_t injected_now;

  // ---- what happened
  /// The sum over the processors; see processor_metrics.
  std::uint64_t steps;
  /// Waits of fibers, for which they left their stack.
  std::uint64_t parks;
  /// Ends of such waits.
  std::uint64_t wakes;
  /// Fibers taken from the inject queue.
  std::uint64_t injected;
  /// Successful steal sessions.
  std::uint64_t steals;
  /// The fibers they brought.
  std::uint64_t stolen;
  /// How often a thread found nothing to do.
  std::uint64_t sleeps;
  /// Processors taken from threads that were blocked in the kernel.
  std::uint64_t retakes;
  /// Threads frozen with a fiber that computed for too long.
  std::uint64_t preemptions;
  /// Stalls reported to options::on_stall; 0 if it is not set.
  std::uint64_t stalls;
  /// Calls that look at the descriptors.
  std::uint64_t polls;
  /// The fibers they made ready.
  std::uint64_t poll_events;
  /// Deadlines that have come.
  std::uint64_t timers_fired;

  /// From ready to running, of fibers whose wait has ended: one in 64 wakes of a thread, chosen at
  /// random. A fiber that yields waits for nothing and is not counted.
  latency_histogram wake_latency;
  /// From spawned to running: the first spawn of a thread and then one in 4096, and one in 16 from
  /// outside. Fibers that their joiner ran on its own stack are left out.
  latency_histogram start_latency;

  /// The pool for offloaded calls.
  offload_statistics offloads;
};

/// The stacks of one size. How deep a stack was used is known from its pages. Stacks that are
/// dropped are looked at before, one in each batch.
struct stack_metrics {
  /// options::stack_size or attributes::stack_size.
  std::size_t size;
  /// Stacks that exist.
  std::size_t made;
  /// Of them, the free ones. The others belong to fibers or to the caches of threads.
  std::size_t free;
  /// How many stacks the next three fields describe: all, or 1024 evenly chosen ones.
  std::size_t looked_at;
  /// Bytes touched, in whole pages: the median.
  std::size_t touched_median;
  /// What 99 of 100 stacks do not exceed.
  std::size_t touched_99;
  /// The most, of these stacks and of all that were dropped before.
  std::size_t touched_most;

  /// The smallest size that holds `touched_most` with a quarter to spare. If fibers join fibers, a
  /// recursion of joins uses as much stack as it gets; then this says what was used, not what was
  /// needed.
  std::size_t suggested;
};

/// All runtimes of the process at one moment.
struct process_metrics {
  /// When it was taken.
  std::chrono::system_clock::time_point time;
  /// The runtimes that exist.
  std::vector<runtime_metrics> runtimes;
  /// The stacks, shared by all runtimes. Sizes that were never used are left out.
  std::vector<stack_metrics> stacks;
};

/// The numbers of all runtimes. May be called on any thread and any fiber.
/// Blocks: for microseconds per runtime, and about 1 us for each stack looked at.
/// Throws: std::bad_alloc.
/// Example: test/unit/examples_api_test.cpp [metrics]
/// ```
///   const weft::process_metrics now = weft::metrics();
///   for (const weft::runtime_metrics& rt : now.runtimes) {
///     if (rt.wake_latency.quantile(0.99) > 10ms) names.push_back(rt.name);
///   }
///   const std::string page = weft::to_prometheus(now);
/// ```
[[nodiscard]] process_metrics metrics();

/// The numbers of one runtime.
/// Blocks: for microseconds.
/// Throws: std::bad_alloc.
[[nodiscard]] runtime_metrics metrics(const runtime& rt);

/// The numbers in the text format of Prometheus, version 0.0.4. Every series of a runtime has the
/// labels `runtime` (its name) and `number`.
/// Throws: std::bad_alloc.
[[nodiscard]] std::string to_prometheus(const process_metrics& m);

}  // namespace WEFT_API weft
