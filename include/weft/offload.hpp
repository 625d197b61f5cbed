// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/offload.hpp - calls that are known to block: on a thread of the pool, or right here.
//
// Neither is needed for correctness: a call that blocks undeclared loses its processor to others
// after 0.2 to 4 ms. Saying so saves the others that time, and offload bounds the number of
// threads.

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <weft/detail/waiting.hpp>

namespace weft {

/// What the pool of a runtime is doing (runtime::offloads).
struct offload_statistics {
  std::size_t threads;  // there are now
  std::size_t idle;     // of them, waiting for a call
  std::size_t running;
  std::size_t queued;       // calls in line for a thread
  std::uint64_t completed;  // calls, since the start
};

namespace detail {

/// One call, on the stack of the fiber that waits for it.
struct offload_job {
  void (*run)(offload_job&) noexcept = nullptr;
  offload_job* next = nullptr;
  offload_job* prev = nullptr;
  // the ticket of whoever waits; under the pool's lock, as the next
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
          self.value = std::addressof(self.call());
        else
          self.value.emplace(self.call());
      } catch (...) {
        self.error = std::current_exception();
      }
    };
  }
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

/// Runs f(args...) on a thread of the pool and returns, or throws, what it does. Other fibers run
/// meanwhile. At most options::offload_threads such calls run at a time; beyond that callers wait
/// in line, first come, first served. The line is the waiting fibers themselves: it takes no memory
/// and needs no limit. Within f the calling thread is no fiber's: this_fiber, fiber_local and
/// thread_local are the pool thread's. An offload from there is the plain call, on the same thread:
/// it needs no second one, and no runtime.
///
/// Blocks: the calling fiber, or thread.   Throws: what f throws; std::system_error,
/// resource_unavailable_try_again, if no thread can be made.   Orders: what came before the call,
/// before f; f, before the return.
/// Lifetime: arguments are passed on as they are, not copied.
/// Example: test/unit/examples_fibers_test.cpp [offload]
/// ```
///   // on a pool's thread, while this fiber waits
///   const auto text = weft::offload([&] { return read_all(path); });
/// ```
template <class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> offload(F&& f, A&&... args) {
  return detail::offload_within({}, std::forward<F>(f), std::forward<A>(args)...);
}

/// The same, unless `stop` is requested before f has begun: then f is not called and this throws
/// std::system_error, std::errc::operation_canceled. Once begun f is waited for; give it the token
/// if it can make use of it.
template <class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> offload(const std::stop_token& stop, F&& f, A&&... args) {
  return detail::offload_within(detail::wait_limit(stop), std::forward<F>(f),
                                std::forward<A>(args)...);
}

/// The same, unless f has not begun by `deadline`: std::errc::timed_out.
template <class Clock, class Duration, class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> offload_until(
    const std::chrono::time_point<Clock, Duration>& deadline, F&& f, A&&... args) {
  return detail::offload_within(detail::wait_limit(detail::to_steady(deadline)), std::forward<F>(f),
                                std::forward<A>(args)...);
}
template <class Rep, class Period, class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> offload_for(const std::chrono::duration<Rep, Period>& timeout, F&& f,
                                          A&&... args) {
  return detail::offload_within(detail::wait_limit(detail::deadline_after(timeout)),
                                std::forward<F>(f), std::forward<A>(args)...);
}

/// Calls f(args...) right here, on this thread, after giving the processor to another thread: for
/// calls that block and need this thread's state (thread_local, locks). Costs a wake-up now, and a
/// place in line afterwards if all processors are busy by then. On a plain thread it is the plain
/// call.
///
/// Blocks: the thread.   Throws: what f throws.
/// Example: test/unit/examples_fibers_test.cpp [block_in_place]
/// ```
///   // on this thread, after its processor went to another one
///   weft::block_in_place([&] { wait_for_device(); });
/// ```
template <class F, class... A>
  requires std::invocable<F, A...>
std::invoke_result_t<F, A...> block_in_place(F&& f, A&&... args) {
  static_cast<void>(detail::begin_blocking());
  return std::invoke(std::forward<F>(f), std::forward<A>(args)...);
}

}  // namespace weft
