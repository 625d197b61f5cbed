// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/retry.hpp - a system call again while a signal interrupts it.

#include <cerrno>

#include "os/errno_guard.hpp"

namespace weft::detail {

/// What `call` returns, or -errno. The error is read by a call: its address is never kept.
template <class Call>
auto retry(Call&& call) noexcept -> decltype(call()) {
  for (;;) {
    const auto n = call();
    if (n >= 0) return n;
    const int error = os::error_number();
    if (error != EINTR) return -error;
  }
}

/// The same for a call that returns -errno itself, such as os::direct_call.
template <class Call>
long retry_direct(Call&& call) noexcept {
  for (;;) {
    const long n = call();
    if (n != -EINTR) return n;
  }
}

}  // namespace weft::detail
