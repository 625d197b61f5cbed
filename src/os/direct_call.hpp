// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/direct_call.hpp - a system call without libc around it, for the calls of a request.
//
// libc's recv, send and epoll_wait are cancellation points: in a process with threads each one sets
// and clears a mark of its thread, two locked instructions and two calls, and then errno. weft's
// threads are never cancelled, and the kernel's answer contains the error.
// Rejected: ::syscall (no cancellation point, but errno); all calls so (the others are rare).

#include <weft/detail/requirements.hpp>

namespace weft::os {

// The sanitizers know what libc's calls read and write, and nothing of these. Other architectures
// have libc's, too.
#if (defined(__x86_64__) || defined(__aarch64__)) && !WEFT_ASAN && !WEFT_TSAN
inline constexpr bool has_direct_calls = true;
#else
inline constexpr bool has_direct_calls = false;
#endif

/// What the kernel answers: a value, or -errno. Only if has_direct_calls.
#if defined(__x86_64__)
inline long direct_call(long number, long a, long b, long c, long d, long e, long f) noexcept {
  register long fourth asm("r10") = d;
  register long fifth asm("r8") = e;
  register long sixth asm("r9") = f;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
               : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
inline long direct_call(long number, long a, long b, long c, long d, long e, long f) noexcept {
  register long called asm("x8") = number;
  register long first asm("x0") = a;  // and the answer
  register long second asm("x1") = b;
  register long third asm("x2") = c;
  register long fourth asm("x3") = d;
  register long fifth asm("x4") = e;
  register long sixth asm("x5") = f;
  asm volatile("svc #0"
               : "+r"(first)
               : "r"(called), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
               : "memory", "cc");
  return first;
}
#else
long direct_call(long, long, long, long, long, long, long) noexcept;  // nowhere
#endif

}  // namespace weft::os
