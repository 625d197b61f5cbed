// SPDX-License-Identifier: BSL-1.0
// os/signals.cpp - handlers of weft in front of whatever the process had installed.
//   dispatch: 1 weft's handler   2 not ours: the previous action, with its mask and flags honoured
// A previous default action is taken by putting it back and letting the signal strike again, so
// that core dumps and exit codes look as if weft had never been there. Rejected: replacing handlers
// outright (crash reporters, Go and Java runtimes live in one process).

#include <array>
#include <cerrno>
#include <mutex>

#include <pthread.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/futex_lock.hpp"
#include "os/errno_guard.hpp"
#include "os/os.hpp"
#include "os/signal_context.hpp"

namespace weft::os {
namespace {

constexpr std::size_t most_handlers = 4;
struct entry {
  std::array<std::atomic<signal_handler>, most_handlers> handlers{};  // null ones last; asked in order
  struct sigaction previous {};  // written under the lock, before handler is published [SIG-1]
};
constinit std::array<entry, 65> table{};
constinit base::futex_lock lock;
constexpr int nudge_code = -119;  // negative: a sender's own; none of those that have a name

bool default_is_ignore(int signal) {
  return signal == SIGURG || signal == SIGCHLD || signal == SIGCONT || signal == SIGWINCH;
}

bool is_fault(int signal, const siginfo_t* info) {
  return info->si_code > 0 && (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
                               signal == SIGFPE || signal == SIGTRAP);
}

void default_action(int signal, const siginfo_t* info, const struct sigaction& previous) {
  if (default_is_ignore(signal)) return;
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, previous.sa_handler == SIG_DFL ? &previous : &standard, nullptr);
  if (!is_fault(signal, info)) {  // a fault repeats by itself when the instruction is retried
    signal_thread(thread_id(), signal);
  }
}

void previous_action(int signal, siginfo_t* info, void* context, const struct sigaction& previous) {
  if (previous.sa_handler == SIG_DFL ||
      (previous.sa_handler == SIG_IGN && is_fault(signal, info))) {
    default_action(signal, info, previous);
    return;
  }
  if (previous.sa_handler == SIG_IGN) return;
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &previous.sa_mask, &before);
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else {
    previous.sa_handler(signal);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void dispatch(int signal, siginfo_t* info, void* context) {
  const errno_guard keep;
  const entry& e = table[static_cast<std::size_t>(signal)];
  // acquire: pairs with the release in install_signal_handler [SIG-1]; null between the two steps
  // of an installation or a removal.
  for (const auto& slot : e.handlers) {
    const signal_handler handler = slot.load(std::memory_order_acquire);
    if (handler == nullptr) break;
    if (handler(signal, info, context)) return;
  }
  previous_action(signal, info, context, e.previous);
}

bool ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == dispatch;
}

}  // namespace

std::error_code install_signal_handler(int signal, signal_handler handler) noexcept {
  if (signal <= 0 || signal >= static_cast<int>(table.size())) {
    return std::make_error_code(std::errc::invalid_argument);
  }
  entry& e = table[static_cast<std::size_t>(signal)];
  const std::lock_guard hold(lock);
  struct sigaction current {};
  if (sigaction(signal, nullptr, &current) != 0) return {errno, std::generic_category()};
  const bool first = !ours(current);
  if (first)
    for (auto& slot : e.handlers) slot.store(nullptr, std::memory_order_relaxed);
  std::size_t n = 0;
  // relaxed: written under the lock only.
  for (; n < most_handlers; ++n) {
    const signal_handler installed = e.handlers[n].load(std::memory_order_relaxed);
    if (installed == handler) return {};
    if (installed == nullptr) break;
  }
  if (n == most_handlers) return std::make_error_code(std::errc::device_or_resource_busy);
  if (first) e.previous = current;
  e.handlers[n].store(handler, std::memory_order_release);  // [SIG-1] pairs with dispatch()
  if (!first) return {};
  struct sigaction mine {};
  mine.sa_sigaction = dispatch;
  mine.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&mine.sa_mask);
  if (sigaction(signal, &mine, nullptr) != 0) return {errno, std::generic_category()};
  return {};
}

void restore_signal_handler(int signal) noexcept {
  if (signal <= 0 || signal >= static_cast<int>(table.size())) return;
  entry& e = table[static_cast<std::size_t>(signal)];
  const std::lock_guard hold(lock);
  struct sigaction current {};
  if (sigaction(signal, nullptr, &current) != 0 || !ours(current)) return;
  sigaction(signal, &e.previous, nullptr);
  for (auto& slot : e.handlers) slot.store(nullptr, std::memory_order_release);  // [SIG-1] a late dispatch chains on
}

interrupted_state interrupted(const void* context) noexcept {
  const mcontext_t& at = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  const interrupted_state now{static_cast<std::uintptr_t>(at.gregs[REG_RIP]), static_cast<std::uintptr_t>(at.gregs[REG_RSP]),
                              static_cast<std::uintptr_t>(at.gregs[REG_RBP])};
  const auto third_argument = static_cast<std::uintptr_t>(at.gregs[REG_RDX]);
#elif defined(__aarch64__)
  const interrupted_state now{at.pc, at.sp, at.regs[29]};
  const std::uintptr_t third_argument = at.regs[2];
#else
#error "weft: signals.cpp does not know where this architecture keeps its registers"
#endif
  if (now.instruction != reinterpret_cast<std::uintptr_t>(&dispatch)) return now;
  return interrupted(reinterpret_cast<const void*>(third_argument));
}

std::error_code signal_thread(pid_t thread, int signal) noexcept {
  const errno_guard keep;
  // relaxed: tests only, and any moment will do
  if (const int forced = test_hooks.signal_error.load(std::memory_order_relaxed))
    return {forced, std::generic_category()};
  if (syscall(SYS_tgkill, getpid(), thread, signal) == 0) return {};
  return {errno, std::generic_category()};
}

std::error_code nudge_thread(pid_t thread, int signal) noexcept {
  const errno_guard keep;
  if (const int forced = test_hooks.signal_error.load(std::memory_order_relaxed))
    return {forced, std::generic_category()};
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = nudge_code;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = &table;
  if (syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, signal, &info) == 0) return {};
  return {errno, std::generic_category()};
}

bool is_nudge(const siginfo_t* info) noexcept {
  return info->si_code == nudge_code && info->si_value.sival_ptr == &table;
}

}  // namespace weft::os
