// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/commands/inspect.hpp - asks a running process through its diagnostics port
// (src/debug/inspect.hpp).

#include <chrono>
#include <csignal>
#include <functional>
#include <string>

#include <sys/types.h>

namespace weft::tools {

struct inspection {
  pid_t pid = 0;
  std::string question;  // a verb and its arguments: one line
  int signal = SIGURG;   // the process's options::preempt_signal
  // until the process has called back, and between two pieces of its answer
  std::chrono::milliseconds patience{5000};
};

/// The answer. Blocks: `patience` at the longest without a sign of the process. Throws
/// std::runtime_error with a text for the user: no such process, no weft process, not permitted, no
/// answer, an answer that was cut off, or what the process says is wrong with the question.
[[nodiscard]] std::string inspect(const inspection& what);

/// For a question that lasts until the tool ends it (a trace, a profile): calls `meanwhile` with
/// what the process says first and the connection, which is readable when the process has ended
/// it; tells the process to end it when that returns. Returns what it says last; empty if it has
/// ended before. Blocks: for that as long as the process lives and says nothing; otherwise, and
/// throws: as inspect, and what `meanwhile` does.
[[nodiscard]] std::string inspect_while(
    const inspection& what,
    const std::function<void(const std::string& began, int connection)>& meanwhile);

}  // namespace weft::tools
