// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/select.hpp - waits for the first of several things. The machinery is in src/sync/select.cpp.

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

#include <weft/channel.hpp>
#include <weft/detail/export.hpp>
#include <weft/detail/select.hpp>
#include <weft/detail/select_cases.hpp>
#include <weft/fiber.hpp>
#include <weft/io/descriptor.hpp>
#include <weft/net/socket.hpp>
#include <weft/select_alternative.hpp>
#include <weft/timer.hpp>

namespace WEFT_API weft {

/// Ready if `from` has a value, or is closed and drained. Calls f(std::optional<T>), with nothing
/// if the channel is closed and drained.
template <class T, std::invocable<std::optional<T>> F>
[[nodiscard]] detail::receive_case<T, F> on_receive(channel<T>& from, F f) {
  return {from, std::move(f)};
}
/// Ready if `to` takes `value`, or is closed. Calls f(bool): true if the value was sent, false if
/// the channel is closed. A case sends one value: once it is sent, the case is never ready again.
template <class T, class U, std::invocable<bool> F>
  requires std::constructible_from<T, U>
[[nodiscard]] detail::send_case<T, F> on_send(channel<T>& to, U&& value, F f) {
  return {to, std::forward<U>(value), std::move(f)};
}

/// Ready if the fiber has ended; then its join returns at once. Calls f(). While a select waits for
/// the fiber, nothing else may wait for it.
/// Throws: std::system_error with invalid_argument if the handle is not joinable.
template <class T, std::invocable F>
[[nodiscard]] detail::plain_case<F> on_join(const fiber<T>& child, F f) {
  if (!child.joinable()) detail::throw_not_joinable("on_join");
  return {detail::case_kind::join, child.native_task(), std::move(f)};
}
/// Ready if a stop is requested on `stop`. Calls f(). With weft::this_fiber::stop_token() that is a
/// stop of this fiber.
template <std::invocable F>
[[nodiscard]] detail::stop_case<F> on_stop(std::stop_token stop, F f) {
  return {std::move(stop), std::move(f)};
}
/// Ready from `t` on. Calls f().
template <class Clock, class Duration, std::invocable F>
[[nodiscard]] detail::plain_case<F> on_deadline(const std::chrono::time_point<Clock, Duration>& t,
                                                F f) {
  return {detail::to_steady(t), std::move(f)};
}
/// Ready when `d` has passed since the select began. Calls f().
template <class Rep, class Period, std::invocable F>
[[nodiscard]] detail::timeout_case<F> on_timeout(const std::chrono::duration<Rep, Period>& d, F f) {
  return {std::chrono::nanoseconds(detail::saturated_ns(d)), std::move(f)};
}
/// Ready when the timer fires; this case then takes the firing. Calls f(). Never ready while the
/// timer is idle or stopped.
template <std::invocable F>
[[nodiscard]] detail::plain_case<F> on_timer(timer& t, F f) {
  return {detail::case_kind::timer, &t.native_state(), std::move(f)};
}
/// Ready when the ticker ticks; this case then takes the tick. Calls f(). Never ready while the
/// ticker is stopped.
template <std::invocable F>
[[nodiscard]] detail::plain_case<F> on_tick(ticker& t, F f) {
  return {detail::case_kind::timer, &t.native_state(), std::move(f)};
}

/// Ready if a read from `s`, or an accept, would not block: because there is data or a connection,
/// the stream has ended, an error is pending, or the socket is closed. Calls f().
///
/// The call made then says which. If another fiber was faster, that call waits after all. The
/// socket's own deadlines apply to that call, not to the select.
template <std::invocable F>
[[nodiscard]] detail::readiness_case<net::socket, F> on_readable(const net::socket& s, F f) {
  return {detail::case_kind::readable, s, std::move(f)};
}
/// Ready if a write to `s` would take at least one byte, or would fail. Otherwise as on_readable.
template <std::invocable F>
[[nodiscard]] detail::readiness_case<net::socket, F> on_writable(const net::socket& s, F f) {
  return {detail::case_kind::writable, s, std::move(f)};
}

/// The same for any other descriptor: a pipe, an eventfd, a socket that another library reads from.
///
/// Example: test/unit/examples_waiting_test.cpp [select fd]
/// ```
///   const auto events = weft::io::descriptor::borrow(number);
///   weft::select(weft::on_readable(events, [&] { n = ::read(number, buffer, sizeof buffer); }),
///                weft::on_receive(orders, [&](std::optional<int> order) { n = order.value_or(-1);
///                }));
/// ```
template <std::invocable F>
[[nodiscard]] detail::readiness_case<io::descriptor, F> on_readable(const io::descriptor& d, F f) {
  return {detail::case_kind::readable, d, std::move(f)};
}
/// The same for writing.
template <std::invocable F>
[[nodiscard]] detail::readiness_case<io::descriptor, F> on_writable(const io::descriptor& d, F f) {
  return {detail::case_kind::writable, d, std::move(f)};
}

/// The same for a number, for one wait. To wait again and again, use an io::descriptor, which costs
/// less. The number stays the caller's, blocking or not. Regular files and directories are always
/// ready, and so is a number that names no descriptor: the call then fails with EBADF.
///
/// A select that waits watches, through a duplicate, what the number named when the select began.
/// So closing the number does not end the wait, and the other end sees the close only after the
/// wait. On a plain thread the default runtime watches, and is started for it.
/// Throws: from select: std::system_error with too_many_files_open and the like, and a text with
/// the limit to raise.
/// Costs: a descriptor, and four system calls more than an object.
template <std::invocable F>
[[nodiscard]] detail::number_case<F> on_readable(int descriptor, F f) {
  return {detail::case_kind::readable, descriptor, std::move(f)};
}
/// The same for writing.
template <std::invocable F>
[[nodiscard]] detail::number_case<F> on_writable(int descriptor, F f) {
  return {detail::case_kind::writable, descriptor, std::move(f)};
}
/// Ready if no other case is ready now, so that the select does not wait. Calls f().
template <std::invocable F>
[[nodiscard]] detail::plain_case<F> on_default(F f) {
  return {detail::case_kind::fallback, nullptr, std::move(f)};
}

/// Waits until one of the cases is ready, takes it, calls its function, and returns its index.
///
/// If several are ready, one of them is chosen at random, with equal probability. Exactly one case
/// is taken: the others neither receive nor send nor lose a value.
/// Blocks: the calling fiber or thread; for ever if no case can become ready.
/// Orders: as the operation of the case taken.
/// Throws: what moving a value throws, and no case is taken then; what the function throws, and
/// what moving a received value into the function throws, which loses the value; std::system_error
/// if a descriptor cannot be watched.
/// Example: test/unit/examples_waiting_test.cpp [select]
/// ```
///   while (open) {
///     weft::select(
///         weft::on_receive(jobs, [&](std::optional<int> job) { job ? work(*job) : leave(); }),
///         weft::on_send(results, next, [&](bool sent) { next += sent; }),
///         weft::on_stop(weft::this_fiber::stop_token(), [&] { leave(); }),
///         weft::on_timeout(1s, [&] { say_still_alive(); }));
///   }
/// ```
template <class... Cases>
  requires(sizeof...(Cases) > 0 &&
           (std::derived_from<std::remove_cvref_t<Cases>, select_alternative> && ...))
std::size_t select(Cases&&... cases) {
  (static_cast<select_alternative&>(cases).prepare(), ...);
  detail::select_case* const raw[] = {&static_cast<select_alternative&>(cases).raw_...};
  select_alternative* const all[] = {&static_cast<select_alternative&>(cases)...};
  for (;;) {
    const std::size_t taken = detail::select_one(raw);
    if (!all[taken]->take()) continue;
    all[taken]->finish();
    return taken;
  }
}

/// A select whose cases are known only at run time. It can be used for any number of selects; cases
/// keep their index.
/// Example: test/unit/examples_waiting_test.cpp [selector]
/// ```
///   weft::selector inputs;
///   std::size_t open = channels.size();
///   for (auto& c : channels) {
///     inputs.add(weft::on_receive(*c, [&, at = inputs.size()](std::optional<int> n) {
///       if (n) {
///         sum += *n;
///       } else {
///         inputs.disable(at);
///         --open;
///       }
///     }));
///   }
///   while (open > 0) inputs.select();
/// ```
class selector {
 public:
  /// Adds a case and returns its index: the lowest one that was removed, or else size().
  template <std::derived_from<select_alternative> Case>
  std::size_t add(Case c) {
    if (removed_ != 0) {
      const auto place = std::find(cases_.begin(), cases_.end(), nullptr);
      *place = std::make_unique<Case>(std::move(c));
      const auto index = static_cast<std::size_t>(place - cases_.begin());
      enabled_[index] = true;
      --removed_;
      return index;
    }
    // The case comes last, so that an exception leaves the selector as it was; the others may have
    // room for one more.
    const std::size_t index = cases_.size();
    raw_.resize(index + 1);
    enabled_.resize(index + 1);
    cases_.push_back(std::make_unique<Case>(std::move(c)));
    enabled_[index] = true;
    return index;
  }
  /// Makes the case never ready, until it is enabled. May be called from the function of a case.
  /// Throws: std::out_of_range.
  void disable(std::size_t index) {
    static_cast<void>(cases_.at(index));
    enabled_[index] = false;
  }
  /// Makes a disabled case take part again.
  /// Throws: std::out_of_range; std::invalid_argument if it was removed.
  void enable(std::size_t index) {
    check(index, "weft::selector::enable: that case was removed");
    enabled_[index] = true;
  }
  /// Drops the case: what it refers to may be destroyed then. The others keep their index. May be
  /// called from the function of a case; if of this case, the case is dropped after the function.
  /// Throws: std::out_of_range; std::invalid_argument if it was removed already.
  /// Example: test/unit/selector_test.cpp
  void remove(std::size_t index) {
    check(index, "weft::selector::remove: that case was removed already");
    enabled_[index] = false;
    if (call_under_way* const outermost = outermost_call(index))
      outermost->drops = true;
    else
      drop(index);
  }
  /// One more than the highest index in use so far.
  [[nodiscard]] std::size_t size() const noexcept { return cases_.size(); }

  /// As weft::select, over the enabled cases. May be called from the function of a case.
  std::size_t select() {
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      raw_[i] = &never_;
      if (!enabled_[i]) continue;
      cases_[i]->prepare();
      raw_[i] = &cases_[i]->raw_;
    }
    std::size_t taken = 0;
    do taken = detail::select_one({raw_.data(), cases_.size()});
    while (!cases_[taken]->take());
    const call_under_way mark(*this, taken);
    cases_[taken]->finish();
    return taken;
  }

 private:
  // The innermost function that runs leads to the one that called select() in it.
  struct call_under_way {
    call_under_way(selector& running, std::size_t taken) noexcept
        : s(running), index(taken), outer(running.running_) {
      s.running_ = this;
    }
    call_under_way(const call_under_way&) = delete;
    call_under_way& operator=(const call_under_way&) = delete;
    ~call_under_way() {
      s.running_ = outer;
      if (drops) s.drop(index);
    }
    selector& s;
    const std::size_t index;
    call_under_way* const outer;
    bool drops = false;
  };
  /// The one that drops the case, if it is removed.
  call_under_way* outermost_call(std::size_t index) const noexcept {
    call_under_way* outermost = nullptr;
    for (call_under_way* c = running_; c != nullptr; c = c->outer)
      if (c->index == index) outermost = c;
    return outermost;
  }
  void check(std::size_t index, const char* removed) const {
    const call_under_way* const call = outermost_call(index);
    if (cases_.at(index) == nullptr || (call != nullptr && call->drops))
      throw std::invalid_argument(removed);
  }
  void drop(std::size_t index) noexcept {
    cases_[index].reset();
    ++removed_;
  }

  detail::select_case never_;
  std::size_t removed_ = 0;
  call_under_way* running_ = nullptr;
  std::vector<std::unique_ptr<select_alternative>> cases_;
  std::vector<detail::select_case*> raw_;
  std::vector<bool> enabled_;
};

}  // namespace WEFT_API weft
