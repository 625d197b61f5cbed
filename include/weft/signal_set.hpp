// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/signal_set.hpp - signals that a fiber waits for, instead of handlers that interrupt it.
//
//   weft::signal_set end{SIGINT, SIGTERM};
//   weft::select(weft::on_signal(end, [&](int) { listener.close(); }),
//                weft::on_receive(failures, ...));
//
// From the first set that has a signal, the process has for it:
//   a handler   in front of the previous action, with SA_RESTART. While a set has the signal, the
//               handler notes it, and the previous action is not taken. While no set has it, the
//               previous action is taken as if weft were not there. The handler is never removed.
//   a signalfd  that takes the signal if all threads block it. No mask is changed.
// Each set has three descriptors. If other code has set SIG_DFL or SIG_IGN since, a wait puts the
// handler back in front. A handler that other code installs later takes the signal, unless it calls
// the handler that it has replaced.

#include <chrono>
#include <concepts>
#include <functional>
#include <initializer_list>
#include <optional>
#include <stop_token>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/select.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/io/descriptor.hpp>
#include <weft/select.hpp>

namespace WEFT_API weft {

namespace detail {
struct signal_inbox;
}

/// Some signals to wait for. Every set that has a signal gets it, and one waiter of each set takes
/// it. A signal that is sent several times before it is taken counts once, as in the kernel.
///
/// Fibers of any runtime and plain threads may wait.
/// Example: test/unit/examples_waiting_test.cpp [signal_set]
/// ```
///   weft::signal_set end{SIGUSR1, SIGTERM};
///   auto waiter = weft::spawn([&] { return end.wait(); });
///   ::kill(::getpid(), SIGTERM);
///   const int signal = waiter.join();
/// ```
class signal_set {
 public:
  /// A set of these signals. It gets those that are sent from now on.
  ///
  /// Throws: std::system_error: invalid_argument for SIGKILL, SIGSTOP, a fault (SIGSEGV, SIGBUS,
  /// SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS) and a number that is no signal; too_many_files_open.
  signal_set(std::initializer_list<int> signals);
  signal_set(const signal_set&) = delete;
  signal_set& operator=(const signal_set&) = delete;
  /// Drops signals that were not taken.
  /// Lifetime: no one may wait in it then.
  ~signal_set();

  /// Waits for a signal and takes it. If several have come, it takes the lowest number.
  ///
  /// Blocks: the calling fiber or thread.
  /// Throws: std::system_error with operation_canceled if a stop is requested on this fiber.
  [[nodiscard]] int wait() { return *take({}); }
  /// The same, with a limit: until a stop is requested on `stop`, for a time, or until a moment.
  /// Returns nothing if the limit ended the wait.
  [[nodiscard]] std::optional<int> wait(const std::stop_token& stop) {
    return take(detail::wait_limit(stop));
  }
  template <class Rep, class Period>
  [[nodiscard]] std::optional<int> wait_for(const std::chrono::duration<Rep, Period>& timeout,
                                            const std::stop_token& stop = {}) {
    return take(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::optional<int> wait_until(
      const std::chrono::time_point<Clock, Duration>& deadline, const std::stop_token& stop = {}) {
    return take(detail::wait_limit(stop, detail::to_steady(deadline)));
  }
  /// Takes a signal that has come already.
  /// Blocks: never.
  [[nodiscard]] std::optional<int> try_wait();

  // For weft::select only.
  /// The descriptor that on_signal waits for.
  [[nodiscard]] detail::poll_descriptor* native_descriptor() const noexcept {
    return ready_.native_descriptor();
  }
  /// Puts the handlers back in front if other code has taken the signals since.
  void watch() noexcept;

 private:
  std::optional<int> take(const detail::wait_limit& limit);

  std::uint64_t mask_ = 0;
  detail::signal_inbox* inbox_ = nullptr;
  int blocked_ = -1;      // the signalfd
  io::descriptor ready_;  // an epoll of both
};

namespace detail {

template <class F>
class signal_case final : public select_alternative {
 public:
  signal_case(signal_set& set, F f) : set_(set), f_(std::move(f)) {
    raw_.kind = case_kind::readable;
  }

 private:
  void prepare() override {
    set_.watch();
    raw_.object = set_.native_descriptor();
  }
  // The descriptor may be readable for a signal that was taken a moment ago: the handler notes it
  // first.
  bool take() override {
    signal_ = set_.try_wait();
    return signal_.has_value();
  }
  void finish() override { std::invoke(f_, *signal_); }
  signal_set& set_;
  F f_;
  std::optional<int> signal_;
};

}  // namespace detail

/// Ready if one of the signals has come; this case then takes it. Calls f(signal). If another fiber
/// takes it from the same set meanwhile, the select goes on with all its cases; so that each fiber
/// hears of a signal, give each a set of its own.
template <std::invocable<int> F>
[[nodiscard]] detail::signal_case<F> on_signal(signal_set& set, F f) {
  return {set, std::move(f)};
}

}  // namespace WEFT_API weft
