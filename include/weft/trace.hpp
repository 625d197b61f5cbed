// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/trace.hpp - what the scheduler and the application do, recorded: into a file, or the last
// moments in memory. `weft-trace report FILE` and its other commands show it.
//
// Without a line of code: WEFT_TRACE=file ./app records everything, and WEFT_FLIGHT_RECORDER=16
// ./app keeps the last
// 16 MiB, to be written when the program crashes (see start_from_environment).
// Costs while nothing is recorded: a predictable branch per event. While recording: 10 to 20 ns per
// event, no lock, no wait; when the memory is full and the disk too slow, events are dropped,
// counted, and shown by the tools.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <weft/detail/requirements.hpp>

namespace weft::trace {

struct options {
  /// The file; made, or emptied.
  std::string path = "weft.trace";
  /// Bytes of memory between the threads and the disk.
  std::size_t memory = std::size_t{32} << 20;
  /// A crash (a fatal signal, std::abort) writes what is in memory before the process ends. The
  /// handlers that were there before get the signal afterwards.
  bool on_crash = true;
};

struct flight_options {
  /// Bytes of memory: what the last seconds have to fit into. An event takes about six. Each thread
  /// that ever records holds 32 KiB of it.
  std::size_t memory = std::size_t{16} << 20;
  /// Where a crash, a stall or the signal write to; overwritten each time.
  std::string path = "weft-flight.trace";
  bool on_crash = true;
  /// When a fiber has kept its thread for options::stall_after.
  bool on_stall = false;
  /// A signal that makes the process write a snapshot (SIGUSR2, say); 0: none.
  int signal = 0;
};

/// Records into a file until stop(), or the process ends.
///
/// Blocks: the calling thread, for some milliseconds.   Throws: std::system_error:
/// device_or_resource_busy if something is recorded already; what opening the file says.   Any
/// thread.   Example: test/trace/record_test.cpp
void start(const options& o);
void start(const std::string& path);

/// Keeps the last moments in memory until stop(). Blocks, throws: as start.
void start_flight_recorder(const flight_options& o = {});

/// Writes what the flight recorder holds. The recording goes on.
/// Blocks: the calling thread, while it writes.   Throws: std::system_error:
/// operation_not_permitted without a flight recorder; what writing says.   Any thread.
void snapshot(const std::string& path);

/// Ends the recording; a file is complete then. Without one: does nothing.
/// Blocks: the calling thread, until everything is written.   Throws: std::system_error, if some of
/// it could not be.
void stop();

[[nodiscard]] bool is_recording() noexcept;

struct statistics {
  std::uint64_t dropped;      // events for which there was no memory, since the start
  std::uint64_t overwritten;  // events that the flight recorder has forgotten
  std::uint64_t file_bytes;   // of the last file that was completed
};
[[nodiscard]] statistics look() noexcept;

/// What the first runtime of a process does by itself: with WEFT_TRACE=path, start(path); with
/// WEFT_FLIGHT_RECORDER=mib, mib:path or mib:path:signal, start_flight_recorder. Says on stderr
/// what is wrong with them.
void start_from_environment() noexcept;

namespace detail {
void begin_region(std::string_view name) noexcept;
void end_region() noexcept;
}  // namespace detail

/// From its construction to its end the calling fiber (or thread) is in the region `name`: the
/// tools show it, nested as it is. At most 1024 bytes of the name. The same fiber must end it. It
/// may park in between, and change threads.
class [[nodiscard]] region {
 public:
  explicit region(std::string_view name) noexcept { detail::begin_region(name); }
  ~region() { detail::end_region(); }
  region(const region&) = delete;
  region& operator=(const region&) = delete;
};

/// A line in the trace, with the fiber and the moment. At most 1024 bytes. Blocks: never.
void log(std::string_view text) noexcept;

}  // namespace weft::trace
