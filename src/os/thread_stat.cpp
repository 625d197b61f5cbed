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

void thread_stat::open(pid_t thread) noexcept {
  const errno_guard keep;
  close();
  const int fd = open_stat(thread);
  if (fd < 0) return;
  std::uint64_t now = word_.load(std::memory_order_relaxed);
  while (now < one_kept)  // those who read meanwhile are counted, and read from none
    if (word_.compare_exchange_weak(now, now + (static_cast<std::uint64_t>(fd) + 1) * one_kept,
                                    std::memory_order_release,  // look
                                    std::memory_order_relaxed))
      return;
  ::close(fd);
}

void thread_stat::close() noexcept {
  if (word_.load(std::memory_order_relaxed) < one_kept) return;
  // acq_rel, as the decrement in look: the last one closes after what the others have read.
  close_if_last(word_.fetch_or(closing, std::memory_order_acq_rel) | closing);
}

void thread_stat::close_if_last(std::uint64_t now) const noexcept {
  if (now % one_kept != closing) return;
  // Fails if another has begun to look: then that one closes.
  if (!word_.compare_exchange_strong(now, 0, std::memory_order_acq_rel, std::memory_order_relaxed))
    return;
  const errno_guard keep;
  ::close(static_cast<int>(now / one_kept) - 1);
}

thread_activity thread_stat::look(pid_t thread) const noexcept {
  thread_activity found = thread_activity::unknown;
  const std::uint64_t kept = word_.fetch_add(1, std::memory_order_acquire);  // open
  if (kept >= one_kept && (kept & closing) == 0 &&
      !test_hooks.no_proc.load(std::memory_order_relaxed)) {
    const errno_guard keep;
    found = read_stat(static_cast<int>(kept / one_kept) - 1, thread);
  }
  close_if_last(word_.fetch_sub(1, std::memory_order_acq_rel) - 1);
  return found != thread_activity::unknown ? found : look_at_thread(thread);
}

}  // namespace weft::os
