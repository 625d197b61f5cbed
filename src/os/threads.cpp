// SPDX-License-Identifier: BSL-1.0
// os/threads.cpp - names, ids, signal masks and alternate stacks of OS threads.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/errno_guard.hpp"
#include "os/fault_signals.hpp"
#include "os/os.hpp"

namespace weft::os {

pid_t thread_id() noexcept { return static_cast<pid_t>(syscall(SYS_gettid)); }

void set_thread_name(std::string_view name, std::string_view more) noexcept {
  char text[16] = {};  // TASK_COMM_LEN
  const std::size_t n = name.copy(text, sizeof text - 1);
  more.copy(text + n, sizeof text - 1 - n);
  pthread_setname_np(pthread_self(), text);
}

void prefer_short_waits() noexcept {
  const errno_guard keep;
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  struct {  // struct sched_attr, which no header of the C library has; nice stays as it is
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
  } attr{};
  attr.size = sizeof attr;
  if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0U) != 0 || attr.policy != SCHED_OTHER)
    return;
  // threads made by this one: as usual
  constexpr std::uint64_t slice_ns = 100'000, reset_on_fork = 1;
  attr.runtime = slice_ns;
  attr.flags |= reset_on_fork;
  syscall(SYS_sched_setattr, 0, &attr, 0U);
}

std::error_code check_thread_limit() noexcept {
  return {test_hooks.thread_error.load(std::memory_order_relaxed), std::generic_category()};
}

namespace {
// A fault while its signal is blocked kills at once: no report, no handler of the application's.
}  // namespace

block_signals::block_signals() noexcept {
  sigset_t all;
  sigfillset(&all);
  for (const int signal : fault_signals) sigdelset(&all, signal);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
}

block_signals::~block_signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void unblock_signal(int signal) noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

sigset_t signal_mask() noexcept {
  sigset_t now;
  pthread_sigmask(SIG_BLOCK, nullptr, &now);
  return now;
}

void inherit_signal_mask(const sigset_t& creator) noexcept {
  sigset_t mask = creator;
  for (const int signal : fault_signals) sigdelset(&mask, signal);
  sigdelset(&mask, SIGPROF);
  for (int signal = 1; signal <= SIGRTMAX; ++signal)
    if (has_signal_handler(signal)) sigdelset(&mask, signal);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

// The kernel's frame alone can be 11 KiB (AVX-512, AMX); 64 KiB on top let a handler symbolize.
std::size_t alternate_stack::size() noexcept {
  const std::size_t frame = std::max<std::size_t>(getauxval(AT_MINSIGSTKSZ), 2048);
  const std::size_t bytes = frame + (std::size_t{64} << 10);
  return (bytes + page_size() - 1) / page_size() * page_size();
}

alternate_stack::alternate_stack() noexcept {
  // relaxed: a test sets it before the threads exist.
  if (const int forced = test_hooks.alternate_stack_error.load(std::memory_order_relaxed)) {
    error_ = {forced, std::generic_category()};
    return;
  }
  std::byte* base = nullptr;
  const std::size_t mapped = size() + page_size();
  if ((error_ = reserve(mapped, page_size(), base))) return;
  const range guard{base, page_size()};
  stack_t mine{};
  mine.ss_sp = base + page_size();
  mine.ss_size = size();
  if (!(error_ = guard_page(guard)) && sigaltstack(&mine, &before_) != 0) {
    error_ = {error_number(), std::generic_category()};
  }
  if (error_) {
    release(base, mapped);
  } else {
    base_ = base;
  }
}

alternate_stack::~alternate_stack() {
  if (base_ == nullptr) return;
  stack_t current{};
  sigaltstack(nullptr, &current);
  // Only what is still ours is put back: another stack may have been installed since.
  if (current.ss_sp == base_ + page_size()) sigaltstack(&before_, nullptr);
  release(base_, size() + page_size());
}

void write_stderr(std::string_view text) noexcept {
  const errno_guard keep;
  while (!text.empty()) {
    const ssize_t n = write(STDERR_FILENO, text.data(), text.size());
    if (n < 0 && error_number() != EINTR) return;  // there is no one to report to
    if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace weft::os
