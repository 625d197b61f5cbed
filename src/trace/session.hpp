// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/session.hpp - recording begins and ends. One session at a time, for the process.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

namespace weft::detail::trace {

class trace_file;

enum class session_kind : std::uint8_t { none, file, flight };

/// Of all rings together.
inline constexpr std::size_t most_memory = std::size_t{1} << 40;

struct session_options {
  session_kind kind = session_kind::file;
  // of the file; flight: of snapshots without a path of their own
  std::string path;
  std::size_t memory = 0;  // bytes of all rings together
  std::chrono::milliseconds generation{1000};
  int signal = 0;         // flight: a snapshot on this one
  bool on_stall = false;  // flight: a snapshot when a stall is reported
  bool on_crash = true;
};

/// Writes the table of the fibers alive (a layer above), and that of those that run, which is
/// short. In the handler of a crash: no locks, so no names, and of those that run only the crashed
/// thread's.
enum class snapshot_mode : std::uint8_t { usual, running_only, in_crash };
using fiber_table = void (*)(trace_file&, snapshot_mode);

/// An error with a text that says what to do is in `what`; empty: it went well.
[[nodiscard]] std::error_code start_session(const session_options& o, fiber_table fibers,
                                            std::string& what);
/// Writes what is left and closes; waits for a snapshot that somebody writes. The error of the
/// first write that failed; nothing to do is no error.
std::error_code stop_session() noexcept;
[[nodiscard]] session_kind session_now() noexcept;

/// Flight: writes what is in memory. Any thread; one at a time.
[[nodiscard]] std::error_code write_snapshot(const char* path);
/// The same by the collector's thread, soon, to the session's path. AS-safe. Nothing happens
/// without a flight recorder.
void request_snapshot() noexcept;
/// A stall was reported: as request_snapshot, if the session wants that.
void note_stall(std::uint64_t fiber, std::uint64_t kind, std::uint64_t worker) noexcept;
[[nodiscard]] bool wants_stalls() noexcept;

struct counters {
  std::uint64_t dropped, overwritten, written_bytes;
};
[[nodiscard]] counters look() noexcept;

// ---- crash.cpp
/// In the handler of a fatal signal: writes what is in memory, once. AS-safe.
void write_last_words() noexcept;
void install_crash_handlers() noexcept;

}  // namespace weft::detail::trace
