// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/reader.hpp - reads trace files (src/trace/README.md), whole or broken.
// Not part of the library: only the tools link it. What cannot be read is skipped and said in
// `problems`; only a file that is no trace at all, or of another version, gives nothing.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trace/event.hpp"
#include "trace/format.hpp"

namespace weft::tools {

using detail::trace::event;
using detail::trace::thread_role;

struct trace_event {
  std::int64_t ns = 0;       // since the trace began; may be negative in a flight recorder's
  std::uint8_t id = 0;       // of events.def; others are there, too
  std::uint32_t thread = 0;  // in trace::threads
  std::uint32_t text = 0;    // in trace::texts; 0: none
  std::uint64_t fiber = 0, number = 0, other = 0;
  [[nodiscard]] event what() const noexcept { return static_cast<event>(id); }
};

struct trace_thread {
  std::uint32_t ring = 0, incarnation = 0;
  std::int32_t id = 0;  // the kernel's; 0: unknown
  thread_role role = thread_role::other;
  std::uint32_t runtime = 0, index = 0;
  std::string name;
  std::uint64_t dropped = 0;
};

struct trace_module {
  std::uint64_t begin = 0, end = 0;
  std::string path;
  bool fits = true;  // false: the file that is there now is of another machine
};

struct trace_fiber {  // alive when a table was written
  std::uint64_t id = 0;
  std::uint8_t state = 0, reason = 0;
  std::uint64_t object = 0;
  std::string name;
};

struct event_meaning {
  std::string name;
  std::string values[3];  // of fiber, number, other; "-": not used
};

struct trace {
  std::string error;                  // not empty: nothing could be read
  std::vector<std::string> problems;  // what is missing, and why

  std::uint32_t flags = 0, pid = 0;
  detail::trace::machine machine = detail::trace::machine::unknown;  // the trace was made on
  std::uint64_t realtime_ns = 0;                                     // when the trace began
  bool complete = false;                                             // an end was seen
  std::uint64_t generations = 0;
  std::uint64_t dropped = 0, overwritten = 0;
  std::int64_t complete_since = 0;  // before it, only some threads' events may be there

  // the last moment the file tells of, if only that it had come
  std::int64_t known_until = INT64_MIN;

  std::vector<trace_event> events;  // by time; those of one thread in their order
  std::vector<trace_thread> threads;
  std::vector<std::string> texts;  // [0] is empty
  std::map<std::uint64_t, std::uint64_t> places;
  std::vector<trace_module> modules;
  std::map<std::uint64_t, trace_fiber> fibers;
  std::map<unsigned, event_meaning> meanings;
  std::map<unsigned, std::string> reasons;

  [[nodiscard]] std::string reason(std::uint64_t r) const;
  [[nodiscard]] std::string event_name(unsigned id) const;
};

/// Reads what is in memory.
[[nodiscard]] trace read_trace(std::span<const std::byte> file);
/// The same from disk; `error` says what opening or reading it says, and `problems` which programs
/// and libraries of the trace have been built anew since, or are here for another machine.
[[nodiscard]] trace read_trace_file(const std::string& path);

}  // namespace weft::tools
