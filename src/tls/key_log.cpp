// SPDX-License-Identifier: BSL-1.0
// tls/key_log.cpp - the file of keys. errno stays inside, as in net/calls.cpp.
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/uio.h>

#include "tls/context_state.hpp"

namespace weft::tls::detail {

int open_key_log(const char* path) noexcept {
  const int f = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  return f >= 0 ? f : -errno;
}

// A line by one call, at the end of the file: lines of several processes do not mix.
void write_key_log(int file, const char* line) noexcept {
  char end[] = "\n";
  const iovec both[] = {{const_cast<char*>(line), std::strlen(line)}, {end, 1}};
  static_cast<void>(::writev(file, both, 2) < 0);  // nobody could be told
}

}  // namespace weft::tls::detail
