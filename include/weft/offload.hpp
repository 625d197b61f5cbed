// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/offload.hpp - calls that are known to block: on a thread of the pool, or on the calling
// thread.
//
// Neither is needed for correctness. A call that blocks without declaring it loses its processor to
// another thread after 0.2 to 4 ms. A declared call saves the other fibers that time, and offload
// bounds the number of threads.

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace WEFT_API weft {

/// What the pool of a runtime is doing (runtime::offloads).
struct offload_statistics {
  /// Threads that exist now.
  std::size_t threads;
  /// Of them, those that wait for a call.
  std::size_t idle;
  /// Of them, those that run a call.
  std::size_t running;
  /// Calls that wait for a thread.
  std::size_t queued;
  /// Calls that have ended since the start.
  std::uint64_t completed;
};

namespace detail {

/// One call, on the stack of the fiber that waits for it.
struct offload_job {
  void (*run)(offload_job&) noexcept = nullptr;
  offload_job* next = nullptr;
  offload_job* prev = nullptr;
  // The ticket of the waiting fiber or thread. This and the next field are under the pool's lock.
  std::uint64_t waiter = 0;
  std::uint64_t fiber = 0;  // its id, for the tracer
  enum class state : std::uint8_t { queued, running, done } where = state::queued;
};

/// Runs the job and waits for it. Throws std::system_error: timed_out or operation_canceled if the
/// limit ended the wait in the queue; resource_unavailable_try_again if there is no thread and none
/// can be made.
void offload(offload_job& job, const wait_limit& limit);

template <class Call>
struct offload_call : offload_job {
  using result = std::invoke_result_t<Call&>;
  explicit offload_call(Call& c) noexcept : call(c) {
    run = [](offload_job& job) noexcept {
      auto& self = static_cast<offload_call&>(job);
      try {
        if constexpr (std::is_void_v<result>)
          self.call();
        else if constexpr (std::is_reference_v<result>)
          self.keep(self.call());
        else
          self.value.emplace(self.call());
      } catch (...) {
        self.error = std::current_exception();
      }
    };
  }
  void keep(auto&& r) noexcept { value = std::addressof(r); }
  result take(const wait_limit& limit) {
    offload(*this, limit);
    if (error) std::rethrow_exception(std::move(error));
    if constexpr (std::is_reference_v<result>)
      return static_cast<result>(*value);
    else if constexpr (!std::is_void_v<result>)
      return std::move(*value);
  }

  Call& call;
  std::exception_ptr error;
  std::conditional_t<std::is_void_v<result>, char,
                     std::conditional_t<std::is_reference_v<result>, std::add_pointer_t<result>,
                                        std::optional<std::remove_cv_t<result>>>>
      value{};
};

template <class F, class... A>
std::invoke_result_t<F, A...> offload_within(const wait_limit& limit, F&& f, A&&... a) {
  // By reference: the caller is here until the call has ended.
  auto call = [&]() -> std::invoke_result_t<F, A...> {
    return std::invoke(std::forward<F>(f), std::forward<A>(a)...);
  };
  return offload_call<decltype(call)>(call).take(limit);
}

[[nodiscard]] bool begin_blocking() noexcept;

}  // namespace detail

/// Runs f(args...) on a thread of the pool and returns its result, or rethrows what it throws.
/// Other fibers run meanwhile.
///
/// At most options::offload_threads such calls run at a time; further callers wait in line, in the
/// order they came. The line consists of the waiting fibers themselves: it takes no memory and has
/// no limit.
///
/// Inside `f` no fiber runs: this_fiber, fiber_local and thread_local are the pool thread's. An
/// offload from inside `f` is a plain call on the same thread; it needs no second thread and no
/// runtime.
/// Blocks: the calling fiber or thread.
/// Orders: everything before the call, before `f`; `f`, before the return.
/// Throws: what `f` throws; std::system_error with resource_unavailable_try_again if no thread can
/// be made.
/// Lifetime: arguments are forwarded, not copied.
/// Example: test/unit/examples_fibers_test.cpp [offload]
/// ```
///   // A thread of the pool reads; this fiber waits.
///   const auto text = weft::offload([&] { return read_all(path); });
/// ```
template <class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> offload(F&& f, A&&... args) {
  return detail::offload_within({}, std::forward<F>(f), std::forward<A>(args)...);
}

/// The same, unless a stop is requested on `stop` before `f` has begun.
///
/// In that case `f` is not called and std::system_error with std::errc::operation_canceled is
/// thrown. Once `f` has begun the call waits for its end; pass `f` the token if it can end early.
template <class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> offload(const std::stop_token& stop, F&& f, A&&... args) {
  return detail::offload_within(detail::wait_limit(stop), std::forward<F>(f),
                                std::forward<A>(args)...);
}

/// The same, unless `f` has not begun by `deadline`: then std::system_error with
/// std::errc::timed_out is thrown and `f` is not called. If the deadline has passed already, `f` is
/// called only if a thread is free at once.
template <class Clock, class Duration, class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> offload_until(
    const std::chrono::time_point<Clock, Duration>& deadline, F&& f, A&&... args) {
  return detail::offload_within(detail::wait_limit(detail::to_steady(deadline)), std::forward<F>(f),
                                std::forward<A>(args)...);
}
/// The same, unless `f` has not begun after `timeout`.
template <class Rep, class Period, class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> offload_for(const std::chrono::duration<Rep, Period>& timeout, F&& f,
                                          A&&... args) {
  return detail::offload_within(detail::wait_limit(detail::deadline_after(timeout)),
                                std::forward<F>(f), std::forward<A>(args)...);
}
/// The same, unless a stop is requested, or the time is over, before `f` has begun.
template <class Clock, class Duration, class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> offload_until(
    const std::stop_token& stop, const std::chrono::time_point<Clock, Duration>& deadline, F&& f,
    A&&... args) {
  return detail::offload_within(detail::wait_limit(stop, detail::to_steady(deadline)),
                                std::forward<F>(f), std::forward<A>(args)...);
}
template <class Rep, class Period, class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> offload_for(const std::stop_token& stop,
                                          const std::chrono::duration<Rep, Period>& timeout, F&& f,
                                          A&&... args) {
  return detail::offload_within(detail::wait_limit(stop, detail::deadline_after(timeout)),
                                std::forward<F>(f), std::forward<A>(args)...);
}

/// Gives the processor to another thread, then calls f(args...) on this thread. For calls that
/// block and need this thread's state (thread_local, locks). On a plain thread it is a plain call.
/// Blocks: the thread.
/// Throws: what `f` throws.
/// Costs: the wake-up of a thread, and afterwards a wait for a free processor if all are busy.
/// Example: test/unit/examples_fibers_test.cpp [block_in_place]
/// ```
///   // The call stays on this thread; the processor moves to another one.
///   weft::block_in_place([&] { wait_for_device(); });
/// ```
template <class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> block_in_place(F&& f, A&&... args) {
  static_cast<void>(detail::begin_blocking());
  return std::invoke(std::forward<F>(f), std::forward<A>(args)...);
}

}  // namespace WEFT_API weft
