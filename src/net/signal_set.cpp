// SPDX-License-Identifier: BSL-1.0
// net/signal_set.cpp - weft::signal_set: a handler for the threads that do not block the signal, a
// signalfd for a process in which all do; the kernel gives each signal to one of them.
#include <weft/signal_set.hpp>

#include <csignal>
#include <string>
#include <system_error>

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "net/calls.hpp"
#include "net/operation.hpp"
#include "net/signal_inbox.hpp"
#include "os/errno_guard.hpp"
#include "os/fault_signals.hpp"
#include "os/os.hpp"

namespace weft {
namespace {

// A forked child has the handlers until it calls exec, and the same eventfds.
constinit std::atomic<pid_t> own_process{0};

bool note(int signal, siginfo_t*, void*) {
  if (::getpid() != own_process.load(std::memory_order_relaxed)) return false;
  return detail::post_signal(signal);
}

bool can_be_waited_for(int signal) noexcept {
  return signal > 0 && signal <= 64 && signal != SIGKILL && signal != SIGSTOP &&
         !os::is_fault_signal(signal);
}

[[noreturn]] void refuse(std::error_code why, const std::string& what) {
  throw std::system_error(why, "weft::signal_set: " + what + detail::remedy_for(why));
}

int needed(int number, const char* what) {
  if (number < 0) refuse({os::error_number(), std::generic_category()}, what);
  return number;
}

void watch_in(int epoll, int number) {
  epoll_event e{};
  e.events = EPOLLIN;
  needed(::epoll_ctl(epoll, EPOLL_CTL_ADD, number, &e), "epoll_ctl");
}

std::error_code put_in_front(std::uint64_t mask) noexcept {
  for (int s = 1; s <= 64; ++s)
    if ((mask & detail::signal_bit(s)) != 0)
      if (const auto why = os::install_signal_handler(s, note)) return why;
  return {};
}

}  // namespace

signal_set::signal_set(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : signals) {
    if (!can_be_waited_for(s))
      refuse(std::make_error_code(std::errc::invalid_argument),
             "signal " + std::to_string(s) + " cannot be waited for");
    mask_ |= detail::signal_bit(s);
    sigaddset(&set, s);
  }
  inbox_ = &detail::take_inbox();
  try {
    blocked_ = needed(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), "making its signalfd");
    const int epoll = needed(::epoll_create1(EPOLL_CLOEXEC), "making its epoll");
    try {
      ready_ = io::descriptor::adopt(epoll);
    } catch (...) {
      detail::call_close(epoll);
      throw;
    }
    watch_in(ready_.native_handle(), inbox_->event.number);
    watch_in(ready_.native_handle(), blocked_);
    own_process.store(::getpid(), std::memory_order_relaxed);
    inbox_->wanted.store(mask_, std::memory_order_relaxed);
    if (const auto why = put_in_front(mask_)) refuse(why, "installing its handlers");
  } catch (...) {
    if (blocked_ >= 0) detail::call_close(blocked_);
    detail::return_inbox(*inbox_);
    throw;
  }
}

signal_set::~signal_set() {
  ready_.close();
  detail::call_close(blocked_);
  detail::return_inbox(*inbox_);
}

// Somebody may have set the default action, or none, since.
void signal_set::watch() noexcept { static_cast<void>(put_in_front(mask_)); }

std::optional<int> signal_set::try_wait() {
  signalfd_siginfo there{};
  // What every thread blocks: for all the sets that want it.
  while (::read(blocked_, &there, sizeof there) == sizeof there)
    detail::post_signal(static_cast<int>(there.ssi_signo));
  return inbox_->take();
}

std::optional<int> signal_set::take(const detail::wait_limit& limit) {
  watch();
  for (;;) {
    if (const auto signal = try_wait()) return signal;
    const std::stop_token never;
    const std::error_code why =
        ready_.wait(io::readiness::readable, limit.deadline, limit.stop ? *limit.stop : never);
    if (!why) continue;
    if (why == std::errc::timed_out) return std::nullopt;
    if (why == std::errc::operation_canceled && limit.stop != nullptr) return std::nullopt;
    refuse(why, "waiting");
  }
}

}  // namespace weft
