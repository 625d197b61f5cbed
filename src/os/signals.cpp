// SPDX-License-Identifier: BSL-1.0
// os/signals.cpp - handlers of weft in front of those that the process had installed.
//
//   dispatch: 1 weft's handler   2 if the signal is not weft's: the previous action, with its mask
//             and flags honoured
//
// A previous default action is taken by putting it back and letting the signal strike again, so
// that core dumps and exit codes look as if weft had never been there.
// Rejected: replacing handlers outright (crash reporters, Go and Java runtimes live in one
// process).
//
//   SIG-2  dispatch is installed once for a signal, and never in front of a handler that may lead
//          back to it: a handler installed later has ours as its previous one, and calls it, or
//          puts it back and raises again. What is found installed later decides:
//
//   ours                          nothing is done
//   the handler before ours       the one in front has removed itself and us: in front again
//   the default, or "ignore"      it calls no other handler: in front of it
//   anything else                 it stands in front of us, and is left there
//
//   SIG-3  a dispatch that is called from within the previous action of another one, for the same
//          delivery, is the end of the chain. Otherwise a handler from before us that has been
//          installed again, in front, calls us twice, and again.

#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "os/errno_guard.hpp"
#include "os/exclusive.hpp"
#include "os/os.hpp"
#include "os/signal_chain.hpp"
#include "os/signal_context.hpp"
#include "os/try_new.hpp"

#pragma weak dlopen  // a program that is linked statically has none, and nothing to unload

namespace weft::os {
namespace {

struct real_atomics {
  template <class T>
  using atomic = std::atomic<T>;
};
// An action that ours stands in front of, or once did; in a list, it is constant and never freed: a
// dispatch may be late [SIG-1].
struct former_action {
  struct sigaction action{};
  former_action* next = nullptr;
};
struct entry {
  basic_signal_chain<real_atomics, signal_handler, former_action> chain;
  // ---- under `changing`
  former_action* formers = nullptr;  // all there have been, each once
  bool installed = false;            // dispatch was, once [SIG-2]
};
constinit std::array<entry, 65> table{};
constinit former_action the_default{};  // SIG_DFL
constinit std::atomic_flag changing;
// sigqueue's, which every kernel and emulator passes on. Of a code without a name the kernel wants
// the bytes beyond the known ones zero, and qemu's user mode leaves them as they are (E2BIG). Ours
// is known by the value, an address that nobody else has.
constexpr int own_signal_code = SI_QUEUE;

bool calls_nobody(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 &&
         (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN);
}

bool default_is_ignore(int signal) {
  return signal == SIGURG || signal == SIGCHLD || signal == SIGCONT || signal == SIGWINCH;
}

bool is_fault(int signal, const siginfo_t* info) {
  return info->si_code > 0 && (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
                               signal == SIGFPE || signal == SIGTRAP);
}

void default_action(int signal, const siginfo_t* info, const struct sigaction& previous) {
  if (default_is_ignore(signal)) return;
  struct sigaction standard{};
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
  if ((previous.sa_flags & SA_NODEFER) != 0 && sigismember(&previous.sa_mask, signal) == 0) {
    sigset_t itself;
    sigemptyset(&itself);
    sigaddset(&itself, signal);
    pthread_sigmask(SIG_UNBLOCK, &itself, nullptr);
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else {
    previous.sa_handler(signal);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// What stands behind, for one delivery: with SA_RESETHAND the next one finds the default.
const former_action& take_behind(entry& e) {
  for (;;) {
    const former_action& behind = *e.chain.behind();
    if ((behind.action.sa_flags & SA_RESETHAND) == 0 || calls_nobody(behind.action) ||
        e.chain.replace_behind(behind, the_default))
      return behind;
  }
}

// The delivery whose previous action this thread is in [SIG-3]. A handler that leaves by longjmp
// does not clear it: the next delivery begins at the same depth of the stack or above, a nested
// call is below. initial-exec: a handler must not allocate.
struct passed_on {
  const siginfo_t* info;
  std::uintptr_t frame;
  int signal;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local passed_on passing{nullptr, 0, 0};

void dispatch(int signal, siginfo_t* info, void* context) {
  const errno_guard keep;
  const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const passed_on before = passing;
  if (before.info == info && before.signal == signal && frame < before.frame) {
    struct sigaction none{};
    none.sa_handler = SIG_DFL;
    default_action(signal, info, none);
    return;
  }
  entry& e = table[static_cast<std::size_t>(signal)];
  if (e.chain.ask([&](signal_handler h) { return h(signal, info, context); })) return;
  passing = {info, frame, signal};
  previous_action(signal, info, context, take_behind(e).action);
  passing = before;
}

bool ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == dispatch;
}

bool same_handler(const struct sigaction& a, const struct sigaction& b) {
  // one union
  return ((a.sa_flags ^ b.sa_flags) & SA_SIGINFO) == 0 && a.sa_handler == b.sa_handler;
}

bool same_action(const struct sigaction& a, const struct sigaction& b) {
  // not all of sa_mask: the kernel does not write it to its end
  for (int s = 1; s < static_cast<int>(table.size()); ++s)
    if (sigismember(&a.sa_mask, s) != sigismember(&b.sa_mask, s)) return false;
  return a.sa_flags == b.sa_flags && a.sa_handler == b.sa_handler;
}
// The one in the list with what `action` says; `spare` goes there if none has. Null: no memory.
const former_action* former_of(entry& e, const struct sigaction& action,
                               std::unique_ptr<former_action>& spare) noexcept {
  for (former_action* f = e.formers; f != nullptr; f = f->next)
    if (same_action(f->action, action)) return f;
  if (spare == nullptr) return nullptr;
  spare->action = action;
  spare->next = e.formers;
  return e.formers = spare.release();
}

// A handler is never taken out, for others may lead to it. So the shared object it is in, a plugin
// with a weft of its own perhaps, must not be unloaded.
void stay_loaded() noexcept {
  Dl_info here{};
  if (&::dlopen == nullptr || dladdr(reinterpret_cast<const void*>(&dispatch), &here) == 0 ||
      here.dli_fname == nullptr)
    return;
  // the program itself: refused, and stays
  static_cast<void>(::dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE));
}

}  // namespace

std::error_code install_signal_handler(int signal, signal_handler handler) noexcept {
  if (signal <= 0 || signal >= static_cast<int>(table.size())) {
    return std::make_error_code(std::errc::invalid_argument);
  }
  entry& e = table[static_cast<std::size_t>(signal)];
  // before the lock: malloc's may be a frozen thread's
  std::unique_ptr<former_action> spare(os::try_new([] { return new former_action; }));
  const exclusive hold(changing);
  struct sigaction current{};
  if (sigaction(signal, nullptr, &current) != 0) return {error_number(), std::generic_category()};
  const former_action* const behind = e.chain.behind();
  const bool in_front = !ours(current) && (!e.installed || calls_nobody(current) ||
                                           same_handler(current, behind->action));
  if (!e.chain.has_room_for(handler))
    return std::make_error_code(std::errc::device_or_resource_busy);
  if (in_front) {
    const former_action* const former = former_of(e, current, spare);
    if (former == nullptr) return std::make_error_code(std::errc::not_enough_memory);
    e.chain.put_behind(*former);
  }
  e.chain.add(handler);
  if (!in_front) return {};
  struct sigaction mine{};
  mine.sa_sigaction = dispatch;
  mine.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  // A handler that wants its calls interrupted keeps that. A default action never comes back, or
  // interrupts nothing.
  if (!calls_nobody(current)) mine.sa_flags &= current.sa_flags | ~SA_RESTART;
  sigemptyset(&mine.sa_mask);
  if (sigaction(signal, &mine, nullptr) != 0) return {error_number(), std::generic_category()};
  if (!std::exchange(e.installed, true)) stay_loaded();
  return {};
}

bool has_signal_handler(int signal) noexcept {
  return table[static_cast<std::size_t>(signal)].chain.has_any();
}

void restore_signal_handler(int signal) noexcept {
  if (signal <= 0 || signal >= static_cast<int>(table.size())) return;
  entry& e = table[static_cast<std::size_t>(signal)];
  const exclusive hold(changing);
  struct sigaction current{};
  if (sigaction(signal, nullptr, &current) != 0 || !ours(current)) return;
  sigaction(signal, &e.chain.behind()->action, nullptr);
  e.installed = false;
  e.chain.clear();
}

interrupted_state interrupted(const void* context) noexcept {
  const mcontext_t& at = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  const interrupted_state now{static_cast<std::uintptr_t>(at.gregs[REG_RIP]),
                              static_cast<std::uintptr_t>(at.gregs[REG_RSP]),
                              static_cast<std::uintptr_t>(at.gregs[REG_RBP]), 0};
  const auto third_argument = static_cast<std::uintptr_t>(at.gregs[REG_RDX]);
#elif defined(__aarch64__)
  const interrupted_state now{at.pc, at.sp, at.regs[29], at.regs[30]};
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
  return {error_number(), std::generic_category()};
}

std::error_code send_preempt_signal(pid_t thread, int signal) noexcept {
  const errno_guard keep;
  if (const int forced = test_hooks.signal_error.load(std::memory_order_relaxed))
    return {forced, std::generic_category()};
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = own_signal_code;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = &table;
  if (syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, signal, &info) == 0) return {};
  return {error_number(), std::generic_category()};
}

bool is_own_signal(const siginfo_t* info) noexcept {
  return info->si_code == own_signal_code && info->si_value.sival_ptr == &table;
}

bool may_be_own_signal(const siginfo_t* info) noexcept {
  return info->si_code == SI_USER && info->si_pid == 0;
}

}  // namespace weft::os
