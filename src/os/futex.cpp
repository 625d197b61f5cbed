// SPDX-License-Identifier: BSL-1.0
// os/futex.cpp - sleeping on a word and waking its sleepers; private futexes only. An absolute
// deadline needs FUTEX_WAIT_BITSET: plain FUTEX_WAIT takes a duration, which a signal in between
// would restart.

#include <cerrno>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/errno_guard.hpp"
#include "os/os.hpp"

#if defined(__SANITIZE_THREAD__)
#define WEFT_WAKES_FOR_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_WAKES_FOR_TSAN
#endif
#endif

namespace weft::os {
namespace {

long wait_in_kernel(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                    const timespec* deadline) noexcept {
  static_assert(sizeof(word) == sizeof(std::uint32_t));
  return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline, nullptr,
                 FUTEX_BITSET_MATCH_ANY);
}

#ifdef WEFT_WAKES_FOR_TSAN
// ThreadSanitizer runs the program's handler of a signal at the thread's next call of a function
// that it intercepts, and syscall() is none: a thread that slept would keep the signal for ever.
// So it wakes for no reason, ten times a second.
long wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
          const timespec* deadline) noexcept {
  timespec soon{};
  clock_gettime(CLOCK_MONOTONIC, &soon);
  soon.tv_nsec += 100'000'000;
  if (soon.tv_nsec >= 1'000'000'000) {
    ++soon.tv_sec;
    soon.tv_nsec -= 1'000'000'000;
  }
  const bool sooner = deadline == nullptr || soon.tv_sec < deadline->tv_sec ||
                      (soon.tv_sec == deadline->tv_sec && soon.tv_nsec < deadline->tv_nsec);
  const long result = wait_in_kernel(word, expected, sooner ? &soon : deadline);
  const bool timed_out = !sooner && result != 0 && error_number() == ETIMEDOUT;
  usleep(0);
  if (!timed_out) return 0;
  set_error_number(ETIMEDOUT);
  return -1;
}
#else
constexpr auto wait = &wait_in_kernel;
#endif

}  // namespace

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
  const errno_guard keep;
  wait(word, expected, nullptr);
}

bool futex_wait_until(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                      std::chrono::steady_clock::time_point deadline) noexcept {
  const errno_guard keep;
  const auto since_boot = deadline.time_since_epoch();
  if (since_boot <= since_boot.zero()) return false;  // the kernel calls that EINVAL
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
  const timespec at{static_cast<time_t>(seconds.count()),
                    static_cast<long>((since_boot - seconds).count())};
  return wait(word, expected, &at) == 0 || error_number() != ETIMEDOUT;
}

int futex_wake(const std::atomic<std::uint32_t>& word, int count) noexcept {
  const errno_guard keep;
  const long woken = syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count);
  return woken < 0 ? 0 : static_cast<int>(woken);
}

}  // namespace weft::os
