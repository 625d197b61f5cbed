// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/commands/commands.hpp - each command adds itself to the command line; its body
// runs when it is the one. Errors are std::runtime_error with a text for the user: the exit status
// is 1 then, and 2 for a wrong command line.

#include <stdexcept>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "reader/reader.hpp"

namespace weft::tools {

void add_record(CLI::App& app);
void add_profile(CLI::App& app);
void add_report(CLI::App& app);
void add_timeline(CLI::App& app);
void add_convert(CLI::App& app);
void add_flame(CLI::App& app);
void add_dump_events(CLI::App& app);
void add_ask(CLI::App& app);
void add_dump(CLI::App& app);
void add_lines(CLI::App& app);
void add_top(CLI::App& app);

struct inspection;
/// PID and what else every command that asks a process takes. `what` must outlive the command's
/// callback.
void add_inspection_options(CLI::App& command, inspection& what);

/// What a process says of its fibers, with the files and lines of their calls.
[[nodiscard]] std::string with_lines(const std::string& dump);

/// Reads the file, says on stderr what is wrong with it. Throws std::runtime_error if nothing could
/// be read.
[[nodiscard]] trace read_or_throw(const std::string& path);

/// Where a command writes: a file, or standard output for "-" or nothing.
class output {
 public:
  explicit output(const std::string& path);  // throws std::runtime_error
  ~output();
  output(const output&) = delete;
  output& operator=(const output&) = delete;
  void write(const std::string& text);
  /// The last call. Throws std::runtime_error if something could not be written.
  void finish();

 private:
  std::string path_;
  std::FILE* file_;
};

/// A line, or more, to standard error, behind "weft-trace: ". If that fails, nobody is there to be
/// told.
void complain(std::string_view text);

/// To standard output, at once. Throws std::runtime_error if not all could be written.
void print(const std::string& text);

}  // namespace weft::tools
