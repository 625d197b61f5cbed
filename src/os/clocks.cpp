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

void thread_cpu_clock::of(pthread_t thread) noexcept {
  clockid_t id;
  // relaxed, as the load: the id of a thread that has ended reads negative.
  id_.store(pthread_getcpuclockid(thread, &id) == 0 ? id : none, std::memory_order_relaxed);
}

std::int64_t thread_cpu_clock::now_ns() const noexcept {
  timespec t;
  const std::int64_t id = id_.load(std::memory_order_relaxed);
  if (id == none || clock_gettime(static_cast<clockid_t>(id), &t) != 0) return -1;
  return to_ns(t);
}

}  // namespace weft::os
