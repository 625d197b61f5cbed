// SPDX-License-Identifier: BSL-1.0
// os/thread_stat.cpp - finds out whether a thread of the process sleeps. Only
// /proc/self/task/TID/stat tells.
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "os/errno_guard.hpp"
#include "os/os.hpp"

namespace weft::os {
namespace {

int open_stat(pid_t thread) noexcept {
  if (test_hooks.no_proc.load(std::memory_order_relaxed)) return -1;
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", static_cast<int>(thread));
  return ::open(path, O_RDONLY | O_CLOEXEC);
}

// "tid (name) S ...": the name may hold anything, so from its last parenthesis. The descriptor may
// not be ours any more (programs close what they do not know): so what it says must be of that
// thread.
thread_activity read_stat(int fd, pid_t thread) noexcept {
  char text[128];
  const ssize_t n = ::pread(fd, text, sizeof text - 1, 0);
  if (n <= 0) return thread_activity::unknown;
  text[n] = 0;
  char begin[24];
  const int length = std::snprintf(begin, sizeof begin, "%d (", static_cast<int>(thread));
  if (std::strncmp(text, begin, static_cast<std::size_t>(length)) != 0)
    return thread_activity::unknown;
  const char* end = std::strrchr(text, ')');
  if (end == nullptr || end[1] != ' ') return thread_activity::unknown;
  return end[2] == 'S' || end[2] == 'D' ? thread_activity::sleeps : thread_activity::runs;
}

}  // namespace

thread_activity look_at_thread(pid_t thread) noexcept {
  const errno_guard keep;
  const int fd = open_stat(thread);
  if (fd < 0) return thread_activity::unknown;
  const thread_activity found = read_stat(fd, thread);
  ::close(fd);
  return found;
}

void thread_stat::close_number(int number) noexcept {
  const errno_guard keep;
  ::close(number);
}

void thread_stat::open(pid_t thread) noexcept {
  const errno_guard keep;
  close();
  const int number = open_stat(thread);
  if (number >= 0 && !kept_.keep(number)) ::close(number);
}

void thread_stat::close() noexcept { kept_.drop(close_number); }

thread_activity thread_stat::look(pid_t thread) const noexcept {
  thread_activity found = thread_activity::unknown;
  if (!test_hooks.no_proc.load(std::memory_order_relaxed)) {
    const errno_guard keep;
    kept_.read([&](int number) { found = read_stat(number, thread); }, close_number);
  }
  return found != thread_activity::unknown ? found : look_at_thread(thread);
}

}  // namespace weft::os
