// SPDX-License-Identifier: BSL-1.0
// net/file_calls.cpp - see file_calls.hpp.
#include "net/file_calls.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/retry.hpp"
#include "os/errno_guard.hpp"

namespace weft::detail {
namespace {

int parts_of(const message_window& w) noexcept { return static_cast<int>(w.message.msg_iovlen); }

}  // namespace

int call_open(const char* path, int flags, unsigned mode) noexcept {
  return retry([&] { return ::open(path, flags | O_CLOEXEC, mode); });
}
ssize_t call_read_cached(int f, const message_window& to, std::int64_t at) noexcept {
  if (at < 0) return -EINVAL;  // for preadv2 -1 is the file's own position
  return retry([&] { return ::preadv2(f, to.parts, parts_of(to), at, RWF_NOWAIT); });
}
ssize_t call_read_at(int f, const message_window& to, std::int64_t at) noexcept {
  return retry([&] { return ::preadv(f, to.parts, parts_of(to), at); });
}
ssize_t call_write_at(int f, const message_window& from, std::int64_t at) noexcept {
  return retry([&] { return ::pwritev(f, from.parts, parts_of(from), at); });
}
std::int64_t call_file_size(int f) noexcept {
  struct stat s{};
  int n = retry([&] { return ::fstat(f, &s); });
  if (n < 0) return n;
  if (!S_ISBLK(s.st_mode)) return s.st_size;
  std::uint64_t bytes = 0;  // of a device the file system knows none
  n = retry([&] { return ::ioctl(f, BLKGETSIZE64, &bytes); });
  return n < 0 ? n : static_cast<std::int64_t>(bytes);
}
int call_resize(int f, std::int64_t size) noexcept {
  return retry([&] { return ::ftruncate(f, size); });
}
int call_sync(int f) noexcept {
  return retry([&] { return ::fsync(f); });
}
int call_sync_data(int f) noexcept {
  return retry([&] { return ::fdatasync(f); });
}

ssize_t call_readv(int f, const message_window& to) noexcept {
  return retry([&] { return ::readv(f, to.parts, parts_of(to)); });
}

// The signal is the thread's: blocked here, it is taken back if this write has raised it. One that
// was pending before stays.
ssize_t call_writev(int f, const message_window& from) noexcept {
  sigset_t pipe_signal, before, pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  sigpending(&pending);
  const ssize_t n = retry([&] { return ::writev(f, from.parts, parts_of(from)); });
  if (n == -EPIPE && sigismember(&pending, SIGPIPE) == 0) {
    const timespec now{};
    static_cast<void>(retry([&] { return ::sigtimedwait(&pipe_signal, nullptr, &now); }));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return n;
}

int call_non_blocking(int f) noexcept {
  const int flags = ::fcntl(f, F_GETFL);
  return flags < 0 || ::fcntl(f, F_SETFL, flags | O_NONBLOCK) != 0 ? -os::error_number() : 0;
}
int call_pidfd_open(pid_t child) noexcept {
  return retry([&] { return static_cast<int>(::syscall(SYS_pidfd_open, child, 0)); });
}

}  // namespace weft::detail
