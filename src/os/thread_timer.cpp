// SPDX-License-Identifier: BSL-1.0
// os/thread_timer.cpp - a POSIX timer of one thread's CPU clock that signals that thread.
#include <cerrno>

#include "os/errno_guard.hpp"
#include "os/os.hpp"

#ifndef sigev_notify_thread_id  // glibc before 2.38 has no name for it
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace weft::os {

std::error_code thread_timer::start(pid_t thread, int signal, std::int64_t period_ns,
                                    void* value) noexcept {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = signal;
  event.sigev_value.sival_ptr = value;
  event.sigev_notify_thread_id = thread;
  // As pthread_getcpuclockid makes it: the kernel's numbering of per-thread scheduling clocks.
  const clockid_t clock = static_cast<clockid_t>(~static_cast<unsigned>(thread) << 3 | 6);
  if (timer_create(clock, &event, &timer_) != 0) return {error_number(), std::generic_category()};
  itimerspec when{};
  when.it_interval = {static_cast<time_t>(period_ns / 1'000'000'000),
                      static_cast<long>(period_ns % 1'000'000'000)};
  when.it_value = when.it_interval;
  runs_ = true;
  if (timer_settime(timer_, 0, &when, nullptr) == 0) return {};
  const int error = error_number();
  stop();
  return {error, std::generic_category()};
}

void thread_timer::stop() noexcept {
  if (runs_) timer_delete(timer_);
  runs_ = false;
}

}  // namespace weft::os
