// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/trace.hpp - records what the scheduler and the application do: into a file, or the last
// moments in memory. `weft-trace report FILE` and its other commands show a recording.
//
// It also works without code: WEFT_TRACE=file ./app records everything, and WEFT_FLIGHT_RECORDER=16
// ./app keeps the last 16 MiB, to be written if the program crashes (see start_from_environment).
//
// While nothing is recorded, an event costs a predictable branch. While recording, it costs 10 to
// 20 ns, no lock and no wait. If the memory is full and the disk too slow, events are dropped; they
// are counted, and the tools show the count.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

namespace weft {
namespace WEFT_API trace {

/// How to record into a file.
struct options {
  /// The file. It is created, or emptied.
  std::string path = "weft.trace";
  /// Bytes of memory between the threads and the disk; at most 1 TiB.
  std::size_t memory = std::size_t{32} << 20;
  /// If true, a crash (a fatal signal, std::abort) writes what is in memory before the process
  /// ends. The handlers that were there before get the signal afterwards.
  bool on_crash = true;
};

/// How to keep the last moments in memory.
struct flight_options {
  /// Bytes of memory for the last seconds; at most 1 TiB. An event takes about six. Each thread
  /// that has ever recorded holds 32 KiB of it.
  std::size_t memory = std::size_t{16} << 20;
  /// The file that a crash, a stall or the signal writes, anew each time.
  std::string path = "weft-flight.trace";
  /// If true, a crash writes the file.
  bool on_crash = true;
  /// If true, the file is written when a fiber has kept its thread for options::stall_after.
  bool on_stall = false;
  /// A signal (SIGUSR2, say) on which the process writes the file; 0 means none. A signal of a
  /// crash (SIGSEGV, SIGABRT, ...) is refused; see on_crash.
  int signal = 0;
};

/// Records into a file until stop() or the end of the process. May be called on any thread.
/// Blocks: the calling thread, for some milliseconds.
/// Throws: std::system_error with device_or_resource_busy if a recording runs already;
/// invalid_argument for an option out of its range and a path with a zero byte; the error of
/// opening the file.
/// Example: test/trace/record_test.cpp
void start(const options& o);
/// The same, into the file at `path`.
void start(const std::string& path);

/// Keeps the last moments in memory until stop().
/// Blocks: as start.
/// Throws: as start.
void start_flight_recorder(const flight_options& o = {});

/// Writes what the flight recorder holds to a file. The recording goes on. May be called on any
/// thread.
/// Blocks: the calling thread, while it writes.
/// Throws: std::system_error with operation_not_permitted if there is no flight recorder; the error
/// of writing.
void snapshot(const std::string& path);

/// Ends the recording and completes its file. Does nothing if there is none.
/// Blocks: the calling thread, until everything is written.
/// Throws: std::system_error if some of it could not be written.
void stop();

/// True if a recording runs.
[[nodiscard]] bool is_recording() noexcept;

/// Counts of the recording.
struct statistics {
  /// Events for which there was no memory, since the start.
  std::uint64_t dropped;
  /// Events that the flight recorder has overwritten.
  std::uint64_t overwritten;
  /// The size of the last completed file.
  std::uint64_t file_bytes;
};
/// The counts now.
[[nodiscard]] statistics look() noexcept;

/// Starts what the environment asks for: with WEFT_TRACE=path, start(path); with
/// WEFT_FLIGHT_RECORDER=mib, mib:path or mib:path:signal, start_flight_recorder. The first runtime
/// of a process calls it. It reports wrong values to stderr.
void start_from_environment() noexcept;

namespace detail {
void begin_region(std::string_view name) noexcept;
void end_region() noexcept;
}  // namespace detail

/// Marks a region: while it exists, the calling fiber or thread is in the region `name`, and the
/// tools show it, nested as regions are. The fiber may park and change threads in between.
/// Lifetime: must be destroyed by the fiber that made it.
/// Example: test/unit/examples_api_test.cpp [region]
/// ```
///   {
///     const weft::trace::region loading("load orders");
///     load();
///     weft::trace::log("orders loaded");
///   }
/// ```
class [[nodiscard]] region {
 public:
  /// Enters the region. At most 1024 bytes of the name are kept.
  explicit region(std::string_view name) noexcept { detail::begin_region(name); }
  /// Leaves the region.
  ~region() { detail::end_region(); }
  region(const region&) = delete;
  region& operator=(const region&) = delete;
};

/// Writes a line into the trace, with the fiber and the time; at most 1024 bytes.
/// Blocks: never.
void log(std::string_view text) noexcept;

}  // namespace WEFT_API trace
}  // namespace weft
