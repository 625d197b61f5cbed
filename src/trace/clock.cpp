// SPDX-License-Identifier: BSL-1.0
// trace/clock.cpp - which clock, and how fast it runs. The rate is a first guess: readers work with
// the pairs that each generation carries.
#include "trace/clock.hpp"

#include <mutex>

#if defined(__x86_64__)
#include <cpuid.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#endif

namespace weft::detail::trace {

constinit bool clock_is_counter = false;

namespace {

constinit std::uint64_t rate = 1'000'000'000;

#if defined(__x86_64__)
bool counter_is_even() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 1U << 8U) != 0;
}

// The kernel watches the counters of all processors, and drops them when they disagree. (kvm-clock
// is made of them.)
bool kernel_trusts_counter() noexcept {
  const int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                      O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[32] = {};
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  return n > 0 && (std::strncmp(text, "tsc", 3) == 0 || std::strncmp(text, "kvm-clock", 9) == 0 ||
                   std::strncmp(text, "hyperv_clocksource_tsc_page", 27) == 0);
}
#endif

}  // namespace

// Of a few tries the one in which the two readings were nearest.
clock_pair clocks_now() noexcept {
  clock_pair best{};
  std::uint64_t least = UINT64_MAX;
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = ticks_now();
    const std::int64_t ns = os::now_ns();
    const std::uint64_t took = ticks_now() - before;
    if (took >= least) continue;
    least = took;
    best = {before + took / 2, ns};
  }
  return best;
}

void prepare_clock() noexcept {
  static std::once_flag once;
  std::call_once(once, [] {
#if defined(__x86_64__)
    clock_is_counter = counter_is_even() && kernel_trusts_counter();
    if (!clock_is_counter) return;
    constexpr std::int64_t long_enough = 5'000'000;
    const clock_pair first = clocks_now();
    clock_pair last = first;
    while (last.ns - first.ns < long_enough) last = clocks_now();
    rate = static_cast<std::uint64_t>(static_cast<double>(last.ticks - first.ticks) * 1e9 /
                                      static_cast<double>(last.ns - first.ns));
#endif
  });
}

std::uint64_t ticks_per_second() noexcept { return rate; }

}  // namespace weft::detail::trace
