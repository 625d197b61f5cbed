// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/in_child.hpp - runs a function in a forked child and says how it ended: for what must
// kill a process, or change its limits. The child's stderr comes back as text.

#include <csignal>
#include <cstdio>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace weft::test {

struct child_end {
  int exit_code;  // -1 if a signal ended it
  int signal;     // 0 if it exited
  std::string errors;
};

template <class F>
child_end in_child(F&& body) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return {-1, 0, "pipe failed"};
  std::fflush(nullptr);  // or the child prints it once more
  const pid_t child = fork();
  if (child == 0) {
    dup2(pipe_ends[1], STDERR_FILENO);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    // The test runner's and the sanitizers' handlers would turn deaths into other deaths.
    for (const int s : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(s, SIG_DFL);
    _exit(body());
  }
  close(pipe_ends[1]);
  child_end end{-1, 0, {}};
  char buffer[512];
  for (ssize_t n; (n = read(pipe_ends[0], buffer, sizeof buffer)) > 0;) {
    end.errors.append(buffer, static_cast<std::size_t>(n));
  }
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  return end;
}

}  // namespace weft::test
