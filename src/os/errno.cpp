// SPDX-License-Identifier: BSL-1.0
// os/errno.cpp - see errno_guard.hpp. The asm keeps an optimiser that sees the whole program from
// taking one call for the next.
#include <cerrno>

#include "os/errno_guard.hpp"

namespace weft::os {

int error_number() noexcept {
  asm volatile("" : : : "memory");
  return errno;
}
void set_error_number(int error) noexcept {
  asm volatile("" : : : "memory");
  errno = error;
}

}  // namespace weft::os
