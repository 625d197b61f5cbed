// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/commands/launch.hpp - `record` and `profile`: a program is started with an
// environment variable of weft's, or a running one is asked through its diagnostics port.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands/commands.hpp"
#include "commands/inspect.hpp"

namespace weft::tools {

struct recording {
  std::string file;
  std::vector<std::string> command;  // the program and its arguments; or:
  inspection process;                // pid 0: none
  std::optional<double> seconds;     // how long the process is recorded; none: until a signal
};

/// -o, --pid, --seconds and COMMAND.
void add_recording_options(CLI::App& command, const std::shared_ptr<recording>& what);

/// COMMAND or --pid, not both: throws a CLI::ParseError otherwise. Makes `file` absolute.
void check_recording(recording& what);

/// Runs the program in the place of this one, so that signals, the terminal and the exit status
/// are the program's own, with `variable` set to the file. If it ends and has written none, stderr
/// says so. Throws std::runtime_error if it cannot be run.
[[noreturn]] void launch(recording& what, const char* variable);

/// Asks the process `question`, which lasts until this tool ends it: after `seconds`, by SIGINT or
/// SIGTERM, by its own end. Says on stderr what goes on. Throws std::runtime_error as inspect().
void attach(recording& what, const std::string& question);

}  // namespace weft::tools
