// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/errno_guard.hpp - errno as the interrupted code left it, for whatever may run in a signal
// handler.

#include <cerrno>

namespace weft::os {

class errno_guard {
 public:
  errno_guard() noexcept : saved_(errno) {}
  ~errno_guard() { errno = saved_; }
  errno_guard(const errno_guard&) = delete;
  errno_guard& operator=(const errno_guard&) = delete;

 private:
  int saved_;
};

}  // namespace weft::os
