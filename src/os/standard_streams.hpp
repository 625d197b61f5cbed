// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/standard_streams.hpp - a process that has closed its own standard streams gives their numbers
// to what it opens next. A file of weft's must not get one: what is printed, dumps for one, would
// go into it.

#include <fcntl.h>
#include <unistd.h>

#include "os/errno_guard.hpp"

namespace weft::os {

/// `fd` if it is beyond the standard streams or negative, else a duplicate that is, in its place.
/// -errno if there is none; `fd` is closed then. AS-safe.
[[gnu::noinline]] inline int above_standard_streams(int fd) noexcept {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int result = moved >= 0 ? moved : -error_number();
  ::close(fd);
  return result;
}

}  // namespace weft::os
