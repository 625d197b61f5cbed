// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/fiber.hpp - spawn() and the handle it returns, which is std::thread and std::future in one.

#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include <weft/detail/deadline.hpp>
#include <weft/detail/export.hpp>
#include <weft/detail/task.hpp>
#include <weft/options.hpp>

namespace WEFT_API weft {

/// Identifies a fiber. An id is unique for the life of the process and is never re-used. A
/// default-constructed id names no fiber.
class fiber_id {
 public:
  /// The id of no fiber.
  constexpr fiber_id() noexcept = default;
  /// The id with that number.
  constexpr explicit fiber_id(std::uint64_t value) noexcept : value_(value) {}
  /// The number; 0 for no fiber.
  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }
  /// Orders ids by their numbers.
  constexpr auto operator<=>(const fiber_id&) const noexcept = default;
  /// Writes the number, as in traces and dumps.
  template <class C, class Traits>
  friend std::basic_ostream<C, Traits>& operator<<(std::basic_ostream<C, Traits>& out,
                                                   const fiber_id& id) {
    return out << id.value_;
  }

 private:
  std::uint64_t value_ = 0;
};

namespace detail {
[[noreturn]] void throw_not_joinable(const char* what);
}  // namespace detail

/// A handle to a fiber and, once the fiber has ended, to its result. Move-only.
///
/// Destroying or detaching the handle lets the fiber run on by itself. The destructor never blocks
/// and never terminates the program.
/// Example: test/unit/examples_api_test.cpp [handle]
/// ```
///   weft::fiber<int> good = weft::spawn(parse, "42");
///   weft::fiber<int> bad = weft::spawn(parse, "");
///   const int n = good.join();  // the result
///   try {
///     bad.join();  // rethrows what the fiber threw
///   } catch (const std::invalid_argument& error) {
///     reason = error.what();
///   }
/// ```
template <class T = void>
class [[nodiscard]] fiber {
 public:
  /// What get_id() returns.
  using id = fiber_id;
  /// What the callable returns, and so what join() returns.
  using result_type = T;

  /// An empty handle: not joinable.
  fiber() noexcept = default;
  /// Takes over `other`, which is empty afterwards.
  fiber(fiber&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  /// Detaches the fiber held so far, if any, and takes over `other`.
  fiber& operator=(fiber&& other) noexcept {
    if (this != std::addressof(other)) {
      detach_if_joinable();
      task_ = std::exchange(other.task_, nullptr);
    }
    return *this;
  }
  /// Detaches the fiber if the handle is joinable.
  ~fiber() { detach_if_joinable(); }

  /// True if the handle refers to a fiber that was neither joined nor detached.
  [[nodiscard]] bool joinable() const noexcept { return task_ != nullptr; }

  /// Waits until the fiber has ended, then returns its result or rethrows what it threw. The handle
  /// is empty afterwards.
  ///
  /// A child that has not started yet may run inside join(), on the caller's stack, if at least
  /// three quarters of a stack are free there. This does not happen if the caller stands on a stack
  /// that is not its fiber's own, such as a coroutine's. (A foreign stack that lies inside the
  /// fiber's own stack, such as a local array, cannot be recognised.)
  /// Blocks: the calling fiber or thread. A stop request on the caller does not end the wait.
  /// Orders: everything the fiber did, before the return.
  /// Throws: what the fiber threw; std::system_error with invalid_argument if the handle is not
  /// joinable, resource_deadlock_would_occur if the fiber joins itself, no_such_process if its
  /// runtime has ended and left the fiber behind (runtime::shutdown), not_enough_memory if no stack
  /// could be had for it.
  /// Note: if the callable's destructor throws after the call, that exception counts as the
  /// fiber's, and the result is destroyed. A destructor that throws while the call unwinds, or the
  /// destructor of a result that throws, ends the process.
  T join() {
    if (task_ == nullptr) detail::throw_not_joinable("join");
    if constexpr (detail::in_words<stored>) {
      detail::words bytes{};
      if (!detail::join_words(*task_, bytes)) [[unlikely]]
        return take();
      task_ = nullptr;
      if constexpr (!std::is_void_v<T>) {
        alignas(stored) std::byte place[sizeof(stored)];
        std::memcpy(place, &bytes, sizeof(stored));
        stored& result = *std::launder(reinterpret_cast<stored*>(place));
        if constexpr (std::is_reference_v<T>)
          return static_cast<T>(*result);
        else
          return std::move(result);  // it may be one that is only moved
      }
    } else {
      detail::join_task(*task_);
      return take();
    }
  }

  /// Waits until the fiber has ended or a stop is requested on `stop`.
  ///
  /// Returns true if the fiber has ended; then join() returns at once. The fiber itself is not
  /// asked to stop.
  /// Blocks: the calling fiber or thread.
  /// Throws: std::system_error as join() does; nothing that the fiber threw.
  [[nodiscard]] bool join_until(const std::stop_token& stop) {
    return wait_until(std::chrono::steady_clock::time_point::max(), &stop);
  }
  /// The same, for at most `timeout`.
  template <class Rep, class Period>
  [[nodiscard]] bool join_for(const std::stop_token& stop,
                              const std::chrono::duration<Rep, Period>& timeout) {
    return wait_until(detail::deadline_after(timeout), &stop);
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool join_until(const std::stop_token& stop,
                                const std::chrono::time_point<Clock, Duration>& deadline) {
    return wait_until(detail::to_steady(deadline), &stop);
  }
  /// Waits for the end of the fiber for at most `timeout`. Otherwise as the form with a token.
  template <class Rep, class Period>
  [[nodiscard]] bool join_for(const std::chrono::duration<Rep, Period>& timeout) {
    return wait_until(detail::deadline_after(timeout));
  }
  /// Waits for the end of the fiber until `deadline` at the latest. Otherwise as the form with a
  /// token.
  template <class Clock, class Duration>
  [[nodiscard]] bool join_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return wait_until(detail::to_steady(deadline));
  }

  /// Lets the fiber run on by itself. The handle is empty afterwards.
  ///
  /// If the fiber has thrown, or throws later, the runtime's unhandled-exception handler gets the
  /// exception (options::on_unhandled_exception).
  /// Blocks: never.
  /// Throws: std::system_error with invalid_argument if the handle is not joinable.
  void detach() {
    if (task_ == nullptr) detail::throw_not_joinable("detach");
    detach_if_joinable();
  }

  /// Requests a stop: the fiber's stop_token reports it, and a wait that obeys stop requests ends.
  /// An empty handle ignores the call.
  /// Blocks: never.
  void request_stop() noexcept {
    if (task_ != nullptr) detail::stop_task(*task_);
  }

  /// The fiber's id; the id of no fiber if the handle is empty.
  [[nodiscard]] id get_id() const noexcept {
    return task_ != nullptr ? id(detail::task_id(*task_)) : id();
  }

  /// Exchanges the two handles.
  void swap(fiber& other) noexcept { std::swap(task_, other.task_); }
  /// Exchanges the two handles.
  friend void swap(fiber& a, fiber& b) noexcept { a.swap(b); }

  /// For weft's own templates.
  explicit fiber(detail::task& t) noexcept : task_(&t) {}
  /// For weft's own templates.
  [[nodiscard]] detail::task* native_task() const noexcept { return task_; }

 private:
  using stored = detail::stored_result<T>;

  bool wait_until(std::chrono::steady_clock::time_point deadline,
                  const std::stop_token* stop = nullptr) {
    if (task_ == nullptr) detail::throw_not_joinable("join_for/join_until");
    return detail::join_task_until(*task_, deadline, stop);
  }

  // Releases the record even if the move throws. Nothing touches the record afterwards.
  struct releaser {
    detail::task& t;
    ~releaser() {
      t.drop_result();
      detail::release_task(t);
    }
  };

  T take() {
    detail::task& t = *std::exchange(task_, nullptr);
    if (t.error) [[unlikely]] {
      std::exception_ptr error = std::move(t.error);
      t.error = nullptr;
      detail::release_task(t);
      std::rethrow_exception(std::move(error));
    }
    const releaser last{t};
    if constexpr (std::is_void_v<T>)
      return;
    else if constexpr (std::is_reference_v<T>)
      return static_cast<T>(*t.template object<stored>());
    else
      return std::move(t.template object<stored>());
  }

  void detach_if_joinable() noexcept {
    if (task_ != nullptr) detail::detach_task(*std::exchange(task_, nullptr));
  }

  detail::task* task_ = nullptr;
};

/// Starts f(args...) as a fiber of the current runtime and returns its handle. `f` and `args` are
/// decay-copied, as std::thread does.
///
/// The current runtime is that of the calling fiber. On a thread that runs no fiber it is the
/// default runtime, which starts then (see set_default_options).
/// Blocks: never.
/// Orders: everything before the spawn, before the fiber's first step.
/// Throws: what copying or moving `f` and `args` throws; std::system_error with
/// operation_not_permitted if the runtime has stopped, resource_unavailable_try_again at
/// options::max_fibers, not_enough_memory.
/// Example: test/unit/examples_fibers_test.cpp [fiber]
/// ```
///   auto sum = weft::spawn([&] { return std::accumulate(numbers.begin(), numbers.end(), 0); });
///   auto least = weft::spawn([](int a, int b) { return a < b ? a : b; }, 7, 3);
///   const int both = sum.join() + least.join();
/// ```
template <class F, class... A>
  requires(!std::is_same_v<std::decay_t<F>, attributes>)
[[gnu::always_inline]] inline fiber<detail::spawn_result<F, A...>> spawn(F&& f, A&&... args) {
  using callable = std::decay_t<F>;
  if constexpr (sizeof...(A) == 0 && detail::in_words<callable> &&
                !detail::spawn_call<F, A...>::with_stop && detail::spawn_call<F, A...>::valid) {
    return fiber<detail::spawn_result<F>>(detail::spawn_in_words(callable(std::forward<F>(f))));
  } else {
    detail::task& t =
        detail::make_task(nullptr, nullptr, std::forward<F>(f), std::forward<A>(args)...);
    detail::submit_task(t);
    return fiber<detail::spawn_result<F, A...>>(t);
  }
}

/// Starts f(args...) as a fiber with the given attributes.
/// Blocks: never.
/// Throws: as spawn(f, args...); also std::system_error with invalid_argument if the stack size is
/// out of range or no multiple of the page size.
template <class F, class... A>
[[gnu::always_inline]] inline fiber<detail::spawn_result<F, A...>> spawn(const attributes& attrs,
                                                                         F&& f, A&&... args) {
  detail::task& t =
      detail::make_task(nullptr, &attrs, std::forward<F>(f), std::forward<A>(args)...);
  detail::submit_task(t);
  return fiber<detail::spawn_result<F, A...>>(t);
}

}  // namespace WEFT_API weft

/// Fiber ids as keys of unordered containers.
template <>
struct std::hash<weft::fiber_id> {
  /// The hash of the id's number.
  std::size_t operator()(const weft::fiber_id& id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value());
  }
};
