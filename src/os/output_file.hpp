// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/output_file.hpp - a file that weft writes where the user says. The name often comes from the
// environment, and a process that this one starts inherits that: of two that write one file at a
// time the second one would make rubbish of both, so it is refused.

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/errno_guard.hpp"
#include "os/standard_streams.hpp"

namespace weft::os {

/// Makes or empties the file. Returns a descriptor beyond the standard streams, or -errno: -EBUSY
/// if another process has opened it here and not closed it yet. AS-safe.
[[gnu::noinline]] inline int open_output(const char* path, mode_t mode) noexcept {
  int fd = ::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
  if (fd < 0) return -error_number();
  if ((fd = above_standard_streams(fd)) < 0) return fd;
  // A lock of the process, not of the descriptor: a forked child has none. Where there are no
  // locks - some file systems, devices - nothing is refused.
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  int error = ::fcntl(fd, F_SETLK, &whole) == 0 ? 0 : error_number();
  error = error == EACCES || error == EAGAIN ? EBUSY : 0;
  if (error == 0 && ::ftruncate(fd, 0) != 0) error = error_number();
  if (error == EINVAL) error = 0;  // a device, a pipe
  if (error == 0) return fd;
  ::close(fd);
  return -error;
}

}  // namespace weft::os
