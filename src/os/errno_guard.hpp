// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/errno_guard.hpp - errno, for code that may be inlined into a function that changes threads;
// and errno as the interrupted code left it, for whatever may run in a signal handler.
//
// glibc declares the function behind errno to be const: a compiler keeps its address for as long as
// a function lasts, over a switch too, and then reads and writes another thread's. So errno is
// named only in functions that nothing is inlined into that can park: these two, and those of
// net/calls.hpp.

#include <weft/detail/export.hpp>

namespace weft::os {

WEFT_API [[nodiscard, gnu::noinline]] int error_number() noexcept;
[[gnu::noinline]] void set_error_number(int error) noexcept;

class errno_guard {
 public:
  errno_guard() noexcept : saved_(error_number()) {}
  ~errno_guard() { set_error_number(saved_); }
  errno_guard(const errno_guard&) = delete;
  errno_guard& operator=(const errno_guard&) = delete;

 private:
  int saved_;
};

}  // namespace weft::os
