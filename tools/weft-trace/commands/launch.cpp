// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/commands/launch.cpp - see the header.
#include "commands/launch.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::tools {
namespace {

// Differs if the file was written in between.
struct file_stamp {
  explicit file_stamp(const std::string& path) {
    struct stat s{};
    if (stat(path.c_str(), &s) != 0) return;
    inode = s.st_ino;
    changed = {s.st_ctim.tv_sec, s.st_ctim.tv_nsec};
    tells = S_ISREG(s.st_mode) || S_ISDIR(s.st_mode);
  }
  bool operator==(const file_stamp&) const = default;
  ino_t inode = 0;  // 0: there is none
  std::pair<std::int64_t, std::int64_t> changed{};
  bool tells = true;  // a device or a pipe does not change when it is written
};

// Why nothing may be in the file: the program could not write it, or did not want to.
std::string why_empty(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd >= 0) close(fd);
  const std::string directory = std::filesystem::path(path).parent_path().string();
  if (fd >= 0 || (errno == ENOENT && access(directory.c_str(), W_OK | X_OK) == 0))
    return "it is no weft program, or it has started no runtime";
  return fmt::format("it cannot be written: {}", std::strerror(errno));
}

// Waits for the end of this process, whose place the program takes, and looks at the file. A
// grandchild that belongs to nobody: the program's own waits must not find it. In a session of its
// own, so that the terminal's signals do not end it. Returns where to say that there is no program:
// a descriptor that the program does not inherit; -1: nobody looks.
int watch(const recording& what) {
  const file_stamp before(what.file);
  int failed[2];
  // The first process of a container gets the orphans: the watcher would be its child, and would
  // end with it.
  if (getpid() == 1 || !before.tells || pipe2(failed, O_CLOEXEC) != 0) return -1;
  const int end = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  const pid_t child = end < 0 ? -1 : fork();  // no pidfd: a kernel before 5.3
  if (child != 0) {
    int status = -1;
    if (child > 0) waitpid(child, &status, 0);
    if (end >= 0) close(end);
    close(failed[0]);
    if (status == 0) return failed[1];
    close(failed[1]);  // nobody reads: to write would be SIGPIPE
    return -1;
  }
  close(failed[1]);
  setsid();
  const pid_t watcher = fork();
  if (watcher != 0) _exit(watcher < 0 ? 1 : 0);
  prctl(PR_SET_NAME, "weft-trace");
  pollfd p{end, POLLIN, 0};
  while (poll(&p, 1, -1) < 0 && errno == EINTR) {
  }
  char byte;
  if (read(failed[0], &byte, 1) == 0 && file_stamp(what.file) == before) {
    const std::string text = fmt::format("weft-trace: {} has ended and nothing is in {}: {}\n",
                                         what.command.front(), what.file, why_empty(what.file));
    static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
  }
  _exit(0);
}

}  // namespace

void add_recording_options(CLI::App& command, const std::shared_ptr<recording>& what) {
  command.add_option("-o,--output", what->file, "The file")->capture_default_str();
  CLI::Option* const pid =
      command.add_option("--pid", what->process.pid, "A running process instead of COMMAND");
  command
      .add_option("--seconds", what->seconds, "With --pid: for how long; otherwise until Ctrl-C")
      ->needs(pid);
  command
      .add_option("--signal", what->process.signal,
                  "With --pid: its options::preempt_signal, a number")
      ->capture_default_str()
      ->check(CLI::Range(1, 64))
      ->needs(pid);
  command.add_option("COMMAND", what->command, "The program and its arguments, after --");
  command.positionals_at_end();
}

void check_recording(recording& what) {
  if (what.command.empty() == (what.process.pid == 0))
    throw CLI::ValidationError("either a program, after --, or --pid PID");
  if (what.seconds && !(*what.seconds > 0))  // that is how NaN is caught, too
    throw CLI::ValidationError("--seconds must be more than 0");
  if (what.file.empty()) throw CLI::ValidationError("--output: the file has no name");
  if (what.file.find('\n') != std::string::npos)
    throw CLI::ValidationError("the file's name has a line break");
  // The program may change its directory before its first runtime.
  what.file = std::filesystem::absolute(what.file).string();
}

void launch(recording& what, const char* variable) {
  setenv(variable, what.file.c_str(), 1);
  std::vector<char*> arguments;
  for (std::string& a : what.command) arguments.push_back(a.data());
  arguments.push_back(nullptr);
  const int watcher = watch(what);
  execvp(arguments[0], arguments.data());
  const int error = errno;
  if (watcher >= 0) static_cast<void>(!write(watcher, "", 1));
  throw std::runtime_error("cannot run " + what.command.front() + ": " + std::strerror(error));
}

void attach(recording& what, const std::string& question) {
  what.process.question = question;
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGHUP);
  sigset_t before;
  sigprocmask(SIG_BLOCK, &ends, &before);
  const int signals = signalfd(-1, &ends, SFD_CLOEXEC);
  bool ended = false;
  const std::string last = inspect_while(what.process, [&](const std::string& began, int process) {
    complain(began + (what.seconds ? "" : "; Ctrl-C ends it"));
    pollfd p[2] = {{signals, POLLIN, 0}, {process, POLLIN, 0}};
    const int ms = what.seconds ? static_cast<int>(std::min(*what.seconds * 1000, 2e9)) : -1;
    while (poll(p, 2, ms) < 0 && errno == EINTR) {
    }
    ended = p[1].revents != 0;
    signalfd_siginfo taken;
    if (p[0].revents != 0) static_cast<void>(!read(signals, &taken, sizeof taken));
    sigprocmask(SIG_SETMASK, &before, nullptr);  // the next one ends this tool
  });
  if (signals >= 0) close(signals);
  complain(last.empty() && ended ? fmt::format("process {} has ended; {} is what it left",
                                               what.process.pid, what.file)
                                 : last);
}

}  // namespace weft::tools
