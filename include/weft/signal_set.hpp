// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/signal_set.hpp - signals as something a fiber waits for, and not as a function that
// interrupts it.
//
//   weft::signal_set end{SIGINT, SIGTERM};
//   weft::select(weft::on_signal(end, [&](int) { listener.close(); }),
//                weft::on_receive(failures, ...));
//
// What it does to the process, per signal, from the first set with it on:
//   a handler   stands in front of what was there, with SA_RESTART. While a set has the signal, the
//               handler notes it and the previous action is not taken; while none has, the previous
//               action is taken as if weft were not there. It is never removed.
//   a signalfd  takes the signal where every thread blocks it. No mask is changed.
// Each set has three descriptors. A wait puts the handler back in front of SIG_DFL and SIG_IGN, if
// somebody has set these since. A handler of other code installed later takes the signal, unless it
// calls the handler that it has replaced.

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

/// Some signals, to wait for. Each set with a signal gets it: once, as the kernel does, however
/// often it was sent before it is taken. Of a set's waiters one gets it.
///
/// Waits may go on from fibers of any runtime and from plain threads.
/// Example: test/unit/examples_waiting_test.cpp [signal_set]
/// ```
///   weft::signal_set end{SIGUSR1, SIGTERM};
///   auto waiter = weft::spawn([&] { return end.wait(); });
///   ::kill(::getpid(), SIGTERM);
///   const int signal = waiter.join();
/// ```
class signal_set {
 public:
  /// Signals sent from here on are the set's.
  ///
  /// Throws: std::system_error: invalid_argument for SIGKILL, SIGSTOP, a fault (SIGSEGV, SIGBUS,
  /// SIGFPE, SIGILL, SIGTRAP, SIGABRT), and what is no signal; too_many_files_open.
  signal_set(std::initializer_list<int> signals);
  signal_set(const signal_set&) = delete;
  signal_set& operator=(const signal_set&) = delete;
  /// Lifetime: nobody waits any more. A signal that was not taken is lost.
  ~signal_set();

  /// Takes the next signal: the lowest number of those that have come.
  ///
  /// Blocks: the calling fiber or thread.
  /// Throws: std::system_error: operation_canceled if this fiber is asked to stop.
  [[nodiscard]] int wait() { return *take({}); }
  /// The same until a stop is requested, or for a time. Nothing: it is over.
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
  /// Takes a signal that has come already. Blocks: never.
  [[nodiscard]] std::optional<int> try_wait();

  // For weft::select only.
  /// What on_signal waits for.
  [[nodiscard]] detail::poll_descriptor* native_descriptor() const noexcept {
    return ready_.native_descriptor();
  }
  /// For on_signal: begins to watch, if other code has taken the signals since.
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
  void finish() override { std::invoke(f_, set_.wait()); }
  signal_set& set_;
  F f_;
};

}  // namespace detail

/// Ready when one of the signals has come; this case then takes it. Calls f(signal). If another
/// fiber takes it from the same set meanwhile, the select waits for the next one: give each fiber a
/// set of its own.
template <std::invocable<int> F>
[[nodiscard]] detail::signal_case<F> on_signal(signal_set& set, F f) {
  return {set, std::move(f)};
}

}  // namespace WEFT_API weft
