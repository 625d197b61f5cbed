// SPDX-License-Identifier: BSL-1.0
// common/launch.cpp - runs a program and tells what it used: `launch FD PROGRAM ARGUMENT...` writes
// CPU seconds and peak resident memory in KiB to FD, and ends as the program ended.
//
// A process of its own: Linux counts the memory of the process that calls exec into the ru_maxrss
// of the program, so that under Python nothing would seem smaller than Python.
// Rejected: reading VmHWM from /proc (gone when the program has ended), /usr/bin/time (a package).
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

double seconds(timeval time) { return double(time.tv_sec) + double(time.tv_usec) * 1e-6; }

[[noreturn]] void execute(char** command, pid_t launcher) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a launcher that is killed takes its program with it
  if (getppid() != launcher) _exit(127);
  execv(command[0], command);
  std::perror(command[0]);
  _exit(127);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s FD PROGRAM ARGUMENT...\n", argv[0]);
    return 2;
  }
  const int report = std::atoi(argv[1]);
  const pid_t launcher = getpid();
  const pid_t child = fork();
  if (child < 0) {
    std::perror("fork");
    return 127;
  }
  if (child == 0) {
    close(report);
    execute(argv + 2, launcher);
  }
  int status = 0;
  rusage used{};
  if (wait4(child, &status, 0, &used) != child) {
    std::perror("wait4");
    return 127;
  }
  dprintf(report, "%.6f %ld\n", seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss);
  if (WIFSIGNALED(status)) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);  // the program's own is enough
    std::raise(WTERMSIG(status));
  }
  return WEXITSTATUS(status);
}
