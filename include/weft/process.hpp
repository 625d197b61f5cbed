// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/process.hpp - child processes: started by posix_spawn, with pipes as streams; a fiber waits
// for their end by a pidfd.
//
//   using weft::stdio;
//   weft::process sort({.program = "sort", .input = stdio::pipe, .output = stdio::pipe});
//   sort.input().write_all("b\na\n");
//   sort.input().close();
//   const std::size_t n = sort.output().read_some(buffer);
//   const weft::exit_status end = sort.wait();

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <sys/types.h>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/io/descriptor.hpp>
#include <weft/io/pipe.hpp>

namespace WEFT_API weft {

/// What a child has as its standard input, output or error.
enum class stdio : std::uint8_t {
  inherit,  // this process's
  null,     // /dev/null
  pipe,     // this process has the other end: process::input, output, error
};

/// The program to start, and what it gets.
struct process_options {
  /// The program: a path, or a name that is looked for in PATH.
  std::string program;
  /// Its arguments. The program's name is not among them; it becomes argv[0].
  std::vector<std::string> arguments = {};
  /// Its environment, as "NAME=value"; that of this process if there is none.
  std::optional<std::vector<std::string>> environment = std::nullopt;
  /// The directory it starts in; that of this process if empty. A relative `program` is looked for
  /// there.
  std::string directory = {};
  /// Its standard input.
  stdio input = stdio::inherit;
  /// Its standard output.
  stdio output = stdio::inherit;
  /// Its standard error.
  stdio error = stdio::inherit;
};

/// The end of a process: its exit code, or the signal that ended it.
class exit_status {
 public:
  /// Made of si_code and si_status of waitid(2).
  constexpr exit_status(int how, int value) noexcept : how_(how), value_(value) {}
  /// True if it called exit or returned from main.
  [[nodiscard]] bool exited() const noexcept;
  /// Its exit code. If a signal ended it, 128 plus the signal, as in a shell.
  [[nodiscard]] int code() const noexcept { return exited() ? value_ : 128 + value_; }
  /// The signal that ended it; 0 if none did.
  [[nodiscard]] int signal() const noexcept { return exited() ? 0 : value_; }
  /// True if a signal ended it and a core file was written.
  [[nodiscard]] bool dumped_core() const noexcept;
  /// True if it exited with code 0.
  [[nodiscard]] bool success() const noexcept { return exited() && value_ == 0; }

 private:
  int how_;
  int value_;
};

/// A child process. It inherits open descriptors that are not close-on-exec. All that weft opens
/// are, and sockets it adopts; other descriptors that are adopted keep their flag. Its signal mask
/// is empty, and signals that have a handler here have their default action there.
///
/// Several fibers and threads may wait for its end; all of them get it.
/// Example: test/unit/examples_api_test.cpp [process]
/// ```
///     weft::process sort({.program = "sort",
///                         .input = weft::stdio::pipe,
///                         .output = weft::stdio::pipe});
///     sort.input().write_all("b\na\n");
///     sort.input().close();
///     std::array<std::byte, 64> text;
///     const std::size_t n = sort.output().read_some(text);
///     const bool sorted = sort.wait().success();
/// ```
class process {
 public:
  /// Starts the program.
  /// Blocks: the fiber, until the program runs.
  /// Throws: std::system_error: no_such_file_or_directory, permission_denied, too_many_files_open,
  /// ..., with the program's name; invalid_argument if a text has a zero byte; no_child_process if
  /// the program ran, and other code took its status at once (as for wait). If it throws anything
  /// else, no child is left.
  explicit process(const process_options& options);
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  /// Kills a child that still runs (SIGKILL) and waits for its end, so that no zombie is left. To
  /// let it live on, call detach.
  ~process();

  /// The process id.
  [[nodiscard]] pid_t id() const noexcept { return id_; }
  /// This process's end of the pipe to its standard input; closed if there is no pipe.
  [[nodiscard]] io::pipe_end& input() noexcept { return input_; }
  /// The same for its standard output: what it writes can be read here.
  [[nodiscard]] io::pipe_end& output() noexcept { return output_; }
  /// The same for its standard error.
  [[nodiscard]] io::pipe_end& error() noexcept { return error_; }

  /// Waits for its end. Read the pipes before or meanwhile: a child that writes more than a pipe
  /// holds does not end.
  /// Blocks: the calling fiber or thread.
  /// Throws: std::system_error: operation_canceled if a stop is requested on this fiber;
  /// no_child_process if other code has taken the status (SIGCHLD is ignored, or waitpid(-1) was
  /// called).
  exit_status wait() { return *end_within({}); }
  /// The same, with a limit: until a stop is requested on `stop`, for a time, or until a moment.
  /// Returns nothing if the child still runs.
  [[nodiscard]] std::optional<exit_status> wait(const std::stop_token& stop) {
    return end_within(detail::wait_limit(stop));
  }
  template <class Rep, class Period>
  [[nodiscard]] std::optional<exit_status> wait_for(
      const std::chrono::duration<Rep, Period>& timeout, const std::stop_token& stop = {}) {
    return end_within(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::optional<exit_status> wait_until(
      const std::chrono::time_point<Clock, Duration>& deadline, const std::stop_token& stop = {}) {
    return end_within(detail::wait_limit(stop, detail::to_steady(deadline)));
  }
  /// Is readable when the child has ended; for weft::on_readable.
  [[nodiscard]] const io::descriptor& ended() const noexcept { return ended_; }

  /// Sends a signal. Does nothing if the child has ended.
  /// Blocks: never.
  void send_signal(int signal) const noexcept;
  /// Sends SIGTERM, which asks the child to end. Does nothing if it has ended.
  void terminate() const noexcept;
  /// Sends SIGKILL, which ends the child. Does nothing if it has ended.
  void kill() const noexcept;
  /// Lets the child live on: the destructor leaves it alone. When it ends, it stays a zombie until
  /// this process ends.
  void detach() noexcept { detached_ = true; }

 private:
  std::optional<exit_status> end_within(const detail::wait_limit& limit);

  pid_t id_ = -1;
  io::descriptor ended_;  // the pidfd
  io::pipe_end input_, output_, error_;
  bool detached_ = false;
};

}  // namespace WEFT_API weft
