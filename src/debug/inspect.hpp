// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/inspect.hpp - the diagnostics port: a tool asks a running process, which has nothing open
// and no thread more until a tool asks.
//
//   tool            1 listens on a socket in the abstract namespace, named after a random request
//                   2 sends the process options::preempt_signal with the request as its value
//                     (sigqueue); again until it is heard
//   handler         3 notes the request, wakes the service threads (sched/wake_word.hpp)
//   service thread  4 makes a thread for it, so that a slow tool never keeps a runtime from its
//                     spare threads
//   thread          5 connects; the listener must be of the same user, or root
//                   6 reads one line, the verb and its arguments
//                   7 writes a line, "ok N" or "error N", and N bytes
//                   8 closes, ends
//
//   DIAG-1  a tool without the right to signal the process cannot request (the kernel's rule), and
//           a socket of another user gets no answer.
//   DIAG-2  a request that finds no room, no thread or no service thread is lost; the tool's next
//           one is not. Answering twice does no harm: the second answer finds no listener.
//   DIAG-3  a tool that does not read, does not write, does so byte by byte, or dies ends its
//           thread: after `patience` for the question as a whole, after twelve of them for the
//           answer.
//   DIAG-4  what lasts until the tool ends it (a trace, a profile) ends with the connection: by the
//           tool's word, its death, the process's own end. There are two answers then: before it,
//           and after.
//
// With preempt_signal 0 there is no port. Abstract names belong to a network namespace: a tool
// outside of the process's gets no connection.
// Rejected: a socket in the file system (something open, to be cleaned up, in every process);
// ptrace (stops the process, and is forbidden in most containers).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

namespace weft::detail {

// ---- what both sides must agree on
inline constexpr std::uint64_t tool_request_mark = 0x77ef, tool_request_mark_shift = 48;
[[nodiscard]] constexpr std::uint64_t make_tool_request(std::uint64_t random) noexcept {
  return tool_request_mark << tool_request_mark_shift |
         (random & ((std::uint64_t{1} << tool_request_mark_shift) - 1));
}
[[nodiscard]] constexpr bool is_tool_request(std::uint64_t value) noexcept {
  return value >> tool_request_mark_shift == tool_request_mark;
}

/// The socket that belongs to a request.
struct port_address {
  explicit port_address(std::uint64_t tool_request) noexcept {
    where.sun_family = AF_UNIX;
    // The first byte stays 0: an abstract name.
    const int n =
        std::snprintf(where.sun_path + 1, sizeof where.sun_path - 1, "weft-inspect.%016llx",
                      static_cast<unsigned long long>(tool_request));
    size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<std::size_t>(n));
  }
  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&where);
  }
  sockaddr_un where{};
  socklen_t size;
};

inline constexpr std::chrono::seconds port_timeout{5};

/// By the service threads: what tools have asked, each on a thread of its own.
void answer_tool_requests() noexcept;

// ---- the process's side
/// Before a runtime's own handler for `signal` is installed; 0: nothing. Idempotent.
void open_diagnostics_port(int signal) noexcept;

/// An answer; `good` false: `text` says what is wrong with the question. If there is an `end`, what
/// was asked for goes on until the tool ends it (DIAG-4); then `end` gives the second answer.
struct answer {
  bool good = false;
  std::string text;
  std::string (*end)() = nullptr;  // may throw: what() is the answer
};
/// The answer to one line, "verb arguments". May throw: what() is the answer.
[[nodiscard]] answer answer_inspection(std::string_view line);

/// "FILE": records a trace into it.   "HERTZ FILE": profiles. See inspect_recording.cpp.
[[nodiscard]] answer answer_trace(std::string_view arguments);
[[nodiscard]] answer answer_profile(std::string_view arguments);

}  // namespace weft::detail
