// SPDX-License-Identifier: BSL-1.0
// os/clocks.cpp - monotonic time, and how much CPU another thread has used.

#include <ctime>

#include <pthread.h>

#include "os/os.hpp"

namespace weft::os {
namespace {

constexpr std::int64_t to_ns(const timespec& t) noexcept {
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

std::int64_t now_ns() noexcept {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return to_ns(t);
}

thread_cpu_clock::thread_cpu_clock(pthread_t thread) noexcept {
  if (pthread_getcpuclockid(thread, &id_) == 0) valid_ = true;
}

std::int64_t thread_cpu_clock::now_ns() const noexcept {
  timespec t;
  if (!valid_ || clock_gettime(id_, &t) != 0) return -1;
  return to_ns(t);
}

}  // namespace weft::os
