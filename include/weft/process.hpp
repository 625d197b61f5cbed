// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/process.hpp - child processes: posix_spawn, pipes as streams, and an end that a fiber waits
// for by its pidfd.
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

/// What a child's standard input, output or error is.
enum class stdio : std::uint8_t {
  inherit,  // this process's
  null,     // /dev/null
  pipe,     // this process has the other end: process::input, output, error
};

/// What to start, and with what around it.
struct process_options {
  /// A path, or a name that is looked for in PATH.
  std::string program;
  /// Without the program's name, which becomes argv[0].
  std::vector<std::string> arguments = {};
  /// "NAME=value" each; nothing: this process's.
  std::optional<std::vector<std::string>> environment = std::nullopt;
  /// Where it starts; empty: where this process is. `program`, if relative, is looked for there.
  std::string directory = {};
  /// What its standard input is.
  stdio input = stdio::inherit;
  /// What its standard output is.
  stdio output = stdio::inherit;
  /// What its standard error is.
  stdio error = stdio::inherit;
};

/// How a process ended.
class exit_status {
 public:
  /// From waitid(2): si_code and si_status.
  constexpr exit_status(int how, int value) noexcept : how_(how), value_(value) {}
  /// It called exit, or returned from main.
  [[nodiscard]] bool exited() const noexcept;
  /// Its exit code; 128 plus the signal, as a shell says it, if a signal ended it.
  [[nodiscard]] int code() const noexcept { return exited() ? value_ : 128 + value_; }
  /// The signal that ended it; 0: none did.
  [[nodiscard]] int signal() const noexcept { return exited() ? 0 : value_; }
  /// True if a signal ended it and a core file was written.
  [[nodiscard]] bool dumped_core() const noexcept;
  /// True if it exited with code 0.
  [[nodiscard]] bool success() const noexcept { return exited() && value_ == 0; }

 private:
  int how_;
  int value_;
};

/// A child process. It inherits what is open and not close-on-exec; all that weft opens is. Its
/// signal mask is empty, and signals with a handler here have their default action there.
///
/// Waits may go on from several fibers and threads; all are told.
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
  /// Starts it. Blocks: the fiber, until it runs.
  /// Throws: std::system_error: no_such_file_or_directory, permission_denied, too_many_files_open,
  /// ..., with the program's name.
  explicit process(const process_options& options);
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  /// A child that still runs is killed (SIGKILL), and waited for: no zombie is left. To let it live
  /// on, call detach.
  ~process();

  /// The process id.
  [[nodiscard]] pid_t id() const noexcept { return id_; }
  /// This process's ends of the pipes; closed ones, if there are none.
  [[nodiscard]] io::pipe_end& input() noexcept { return input_; }
  /// As input(): to read what it writes.
  [[nodiscard]] io::pipe_end& output() noexcept { return output_; }
  /// As output(), for its standard error.
  [[nodiscard]] io::pipe_end& error() noexcept { return error_; }

  /// Waits for its end. Read the pipes first, or beside it: a child that writes more than a pipe
  /// holds does not end.
  ///
  /// Blocks: the calling fiber or thread.
  /// Throws: std::system_error: operation_canceled if this fiber is asked to stop; no_child_process
  /// if somebody else has taken the status: SIGCHLD is ignored, or waitpid(-1) was called.
  exit_status wait() { return *end_within({}); }
  /// The same until a stop is requested, or for a time. Nothing: it still runs.
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
  /// For weft::on_readable: ready when it has ended.
  [[nodiscard]] const io::descriptor& ended() const noexcept { return ended_; }

  /// Sends a signal; nothing happens if it has ended. SIGTERM asks it to end, SIGKILL ends it.
  /// Blocks: never.
  void send_signal(int signal) const noexcept;
  /// Sends SIGTERM. Does nothing if it has ended.
  void terminate() const noexcept;
  /// Sends SIGKILL. Does nothing if it has ended.
  void kill() const noexcept;
  /// The destructor leaves it alone. It becomes a zombie when it ends, until this process does.
  void detach() noexcept { detached_ = true; }

 private:
  std::optional<exit_status> end_within(const detail::wait_limit& limit);

  pid_t id_ = -1;
  io::descriptor ended_;  // the pidfd
  io::pipe_end input_, output_, error_;
  bool detached_ = false;
};

}  // namespace WEFT_API weft
