// SPDX-License-Identifier: BSL-1.0
// debug/running_snapshot.cpp - see the header.
#include "debug/running_snapshot.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>

#include <sys/stat.h>
#include <sys/syscall.h>

#include <weft/detail/deadline.hpp>

#include "debug/fiber_snapshot.hpp"
#include "debug/snapshot_request.hpp"
#include "os/os.hpp"

namespace weft::detail {
namespace {

struct request {
  basic_snapshot_request<> state;
  std::atomic<pid_t> thread{0};         // relaxed: a hint for the handler; the state decides
  const fiber_record* fiber = nullptr;  // and below: written while idle
  stack_range range;
  stack_copy* into = nullptr;  // never freed: a late handler may still look
  bool copied = false;
  bool lost = false;  // a handler took it and has not come back: until `done` it is the handler's
};
constinit request wanted;

bool on_snapshot(int, siginfo_t*, void* context) {
  if (wanted.thread.load(std::memory_order_relaxed) != os::thread_id()) return false;
  if (!wanted.state.take()) return false;
  const worker* w = this_worker();
  wanted.copied = w != nullptr && w->current == wanted.fiber &&
                  wanted.into->take(registers::of(context), wanted.range.low, wanted.range.high);
  wanted.state.finish();
  os::futex_wake(wanted.state.futex(), 1);
  return false;  // a preempt signal of the monitor's may have been merged with this one
}

bool wait_until_done(std::int64_t patience_ns) {
  const steady_time until = steady_at(os::now_ns() + patience_ns);
  while (!wanted.state.is_done()) {
    const std::uint32_t s = wanted.state.futex().load(std::memory_order_relaxed);
    if (s != basic_snapshot_request<>::done &&
        !os::futex_wait_until(wanted.state.futex(), s, until))
      return wanted.state.is_done();
  }
  return true;
}

bool is_socket(pid_t thread, unsigned long descriptor) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/fd/%lu", static_cast<int>(thread),
                descriptor);
  struct stat about{};
  return stat(path, &about) == 0 && S_ISSOCK(about.st_mode);
}

struct named_call {
  long number;
  const char* name;
};
// Those a fiber is likely to be stuck in.
constexpr named_call names[] = {
    {SYS_read, "read"},
    {SYS_write, "write"},
    {SYS_pread64, "pread64"},
    {SYS_pwrite64, "pwrite64"},
    {SYS_readv, "readv"},
    {SYS_writev, "writev"},
    {SYS_futex, "futex"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_ppoll, "ppoll"},
    {SYS_pselect6, "pselect6"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_accept, "accept"},
    {SYS_accept4, "accept4"},
    {SYS_connect, "connect"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_sendto, "sendto"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_wait4, "wait4"},
    {SYS_flock, "flock"},
    {SYS_fsync, "fsync"},
    {SYS_fdatasync, "fdatasync"},
    {SYS_openat, "openat"},
    {SYS_fcntl, "fcntl"},
#if defined(__x86_64__)
    {SYS_poll, "poll"},
    {SYS_select, "select"},
    {SYS_epoll_wait, "epoll_wait"},
    {SYS_open, "open"},
    {SYS_pause, "pause"},
#endif
};

}  // namespace

void install_running_snapshot(int signal) noexcept {
  static_cast<void>(os::install_signal_handler(signal, &on_snapshot));
}

kernel_stay where_in_kernel(pid_t thread) {
  kernel_stay stay;
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/syscall", static_cast<int>(thread));
  std::FILE* const file = std::fopen(path, "re");
  if (file == nullptr) return stay;
  unsigned long arguments[4]{};
  // "running", "-1 ..." for other waits, or the number and its arguments
  const int n = std::fscanf(file, "%ld %lx %lx %lx %lx", &stay.call, &arguments[0], &arguments[1],
                            &arguments[2], &arguments[3]);
  std::fclose(file);
  if (n < 1) stay.call = -1;
  if (n != 5) return stay;
  switch (stay.call) {
    case SYS_futex:
      stay.restarts = arguments[3] == 0;
      break;  // no timeout
    case SYS_wait4:
    case SYS_flock:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_openat:
      stay.restarts = true;
      break;
    case SYS_read:
    case SYS_write:
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_readv:
    case SYS_writev:
      stay.restarts = !is_socket(thread, arguments[0]);  // one may have a timeout of its own
      break;
    default:
      break;
  }
  return stay;
}

std::string system_call_text(long call) {
  for (const named_call& n : names)
    if (n.number == call) return std::string(n.name) + " (" + std::to_string(call) + ")";
  return "number " + std::to_string(call);
}

snapshot_outcome snapshot_running(worker& w, const fiber_record& f, int signal, stack_copy*& out) {
  constexpr std::int64_t answer_ns = 50'000'000, finish_ns = 1'000'000'000;
  if (signal == 0) return snapshot_outcome::left_in_peace;
  if (wanted.lost && !wanted.state.is_done()) return snapshot_outcome::left_in_peace;
  wanted.lost = false;
  if (wanted.into == nullptr) wanted.into = new stack_copy;
  wanted.fiber = &f;
  wanted.range = stack_of_fiber(f);
  wanted.copied = false;
  wanted.thread.store(w.thread_id(), std::memory_order_relaxed);
  wanted.state.ask();
  bool answered = !os::send_preempt_signal(w.thread_id(), signal) && wait_until_done(answer_ns);
  if (!answered) {
    const auto how = wanted.state.withdraw();
    using enum basic_snapshot_request<>::withdrawal;
    answered = how == done || (how == taken && wait_until_done(finish_ns));
    wanted.lost = how == taken && !answered;
  }
  wanted.thread.store(0, std::memory_order_relaxed);
  if (!answered || !wanted.copied) return snapshot_outcome::no_answer;
  out = wanted.into;
  return snapshot_outcome::copied;
}

}  // namespace weft::detail
