// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/profile.hpp - where the CPU time goes, by fibers: samples of the threads that run them, as
// folded stacks.
//
//   WEFT_PROFILE=app.folded ./app            # without a line of code; written when the process
//   exits flamegraph.pl app.folded > app.svg       # or speedscope, inferno, ...
//
// A line is `name;spawned by function (module+0x12ab);function;...;function samples`: the fiber's
// name ("(unnamed)" if it has none; "(scheduler)", without a place, for weft itself), where it was
// spawned - the call, if that was while the profile ran - and its stack from the function it was
// spawned with to the one that ran. `weft-trace lines app.folded` makes file and line of the
// places. Stacks are walked by frame pointers: compile the application with
// -fno-omit-frame-pointer, or see the innermost function only. Threads that run no fibers - those
// of the offload pool, your own - are not sampled, for nothing is known of their stacks; nor are
// the first 20 ms of a worker's thread. "(other threads);(not sampled)" is the CPU time that the
// process used beyond what was sampled; perf record -g shows it all. Each thread has a timer of its
// own CPU clock: who sleeps is not sampled, who is frozen by a preemption neither.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <weft/detail/requirements.hpp>

namespace weft::profile {

struct options {
  /// The file; made, or emptied.
  std::string path = "weft.folded";
  /// Samples in a second of CPU time, of each thread: 1 to 1000. The kernel counts in its own
  /// ticks, mostly 4 ms.
  int hertz = 100;
  /// That interrupts for a sample; 27 is SIGPROF. weft's handler stays installed afterwards, for a
  /// late signal would end the process; what others send it is passed on to the handler that was
  /// there before.
  int signal = 27;
};

struct statistics {
  std::uint64_t samples;  // in the file
  std::uint64_t dropped;  // had no room, because the collector did not get to run for half a second
  std::size_t threads;    // that were sampled
  // CPU time of the process beyond that, in samples: "(other threads)" in the file
  std::uint64_t elsewhere;
};

/// Samples every thread that runs fibers, of all runtimes, those to come included, until stop().
///
/// Blocks: the calling thread, for a moment.   Throws: std::system_error: invalid_argument with a
/// text that names the option; device_or_resource_busy if it runs already; what opening the file
/// says.   Any thread.   Example: test/unit/profile_test.cpp
void start(const options& o = {});

/// Writes the file. Without a profile: does nothing, all zero.
/// Blocks: the calling thread, until the stacks have their names.   Throws: std::system_error, if
/// it cannot be written.
statistics stop();

/// What the first runtime of a process does by itself: with WEFT_PROFILE=path, start, and stop when
/// the process exits. Says on stderr what is wrong with it.
void start_from_environment() noexcept;

}  // namespace weft::profile
