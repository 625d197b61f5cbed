// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/profile.hpp - where the CPU time goes, by fibers: samples of the threads that run them, as
// folded stacks.
//
//   WEFT_PROFILE=app.folded ./app            # without code; written when the process exits
//   flamegraph.pl app.folded > app.svg       # or speedscope, inferno, ...
//
// A line is `name;spawned by function (module+0x12ab);function;...;function samples`. It starts
// with the fiber's name: "(unnamed)" if it has none; "(scheduler)", without a place, for weft
// itself. Then follow the call that spawned it, if that was made while the profile ran, and its
// stack, from the function it was spawned with to the one that ran. `weft-trace lines app.folded`
// turns the places into files and lines.
//
// Stacks are walked by frame pointers: without -fno-omit-frame-pointer only the innermost function
// of the application is seen. Threads that run no fibers (those of the offload pool, your own) are
// not sampled, because nothing is known of their stacks, and neither are the first 20 ms of a
// worker's thread. "(other threads);(not sampled)" is the CPU time that the process used beyond
// what was sampled; perf record -g shows all of it. Each thread has a timer of its own CPU clock,
// so a thread that sleeps or is frozen by a preemption is not sampled.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

namespace weft {
namespace WEFT_API profile {

/// How to sample.
struct options {
  /// The file. It is created, or emptied.
  std::string path = "weft.folded";
  /// Samples per second of CPU time of each thread, 1 to 1000. The kernel counts in its own ticks,
  /// which are mostly 4 ms.
  int hertz = 100;

  /// The signal that interrupts for a sample; 27 is SIGPROF. weft's handler stays installed
  /// afterwards, because a late signal would otherwise end the process. Signals from others are
  /// passed on to the handler that was there before. A signal of a crash (SIGSEGV, SIGABRT, ...) is
  /// refused.
  int signal = 27;
};

/// Counts of a profile.
struct statistics {
  /// Samples in the file.
  std::uint64_t samples;
  /// Samples lost because the collector did not run for half a second.
  std::uint64_t dropped;
  /// Threads that were sampled.
  std::size_t threads;
  /// CPU time of the process beyond that, counted in samples: "(other threads)" in the file.
  std::uint64_t elsewhere;
};

/// Samples every thread that runs fibers, of all runtimes, present and future, until stop(). May be
/// called on any thread.
/// Blocks: the calling thread, for a moment.
/// Throws: std::system_error with invalid_argument and a text that names the wrong option;
/// device_or_resource_busy if a profile runs already; the error of opening the file.
/// Example: test/unit/profile_test.cpp
void start(const options& o = {});

/// Ends the profile and writes the file. Without a profile it does nothing and returns zeros.
/// Blocks: the calling thread, until names are found for the addresses.
/// Throws: std::system_error if the file cannot be written.
statistics stop();

/// Starts what the environment asks for: with WEFT_PROFILE=path, start, and stop when the process
/// exits. The first runtime of a process calls it. It reports wrong values to stderr.
void start_from_environment() noexcept;

}  // namespace WEFT_API profile
}  // namespace weft
