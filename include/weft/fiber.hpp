// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/fiber.hpp - spawn() and the handle it returns: std::thread and std::future in one.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include <weft/detail/deadline.hpp>
#include <weft/detail/task.hpp>
#include <weft/options.hpp>

namespace weft {

/// Identifies a fiber; unique for the life of the process, never re-used. A default-made one is no
/// fiber.
class fiber_id {
 public:
  constexpr fiber_id() noexcept = default;
  constexpr explicit fiber_id(std::uint64_t value) noexcept : value_(value) {}
  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }
  constexpr auto operator<=>(const fiber_id&) const noexcept = default;

 private:
  std::uint64_t value_ = 0;
};

namespace detail {
[[noreturn]] void throw_not_joinable(const char* what);
}  // namespace detail

/// A fiber and, once it has ended, its result. Move-only. Destroying or `detach`ing the handle lets
/// the fiber run on by itself; it never blocks and never terminates the program.
template <class T = void>
class [[nodiscard]] fiber {
 public:
  using id = fiber_id;
  using result_type = T;

  fiber() noexcept = default;
  fiber(fiber&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  fiber& operator=(fiber&& other) noexcept {
    if (this != std::addressof(other)) {
      detach_if_joinable();
      task_ = std::exchange(other.task_, nullptr);
    }
    return *this;
  }
  ~fiber() { detach_if_joinable(); }

  /// Is there a fiber whose result has not been taken, and which was not detached?
  [[nodiscard]] bool joinable() const noexcept { return task_ != nullptr; }

  /// Waits for the end and returns the result, or rethrows what the fiber threw. The handle is
  /// empty then.
  ///
  /// Blocks: the calling fiber, or the thread outside one. A child that has not started may run
  /// right here, on the caller's stack, if at least three quarters of a stack are left. Not where
  /// the caller stands on another stack than its fiber's, such as a coroutine's; one that lies
  /// inside of the fiber's own (a local array) cannot be told from it.
  /// Orders: everything the fiber did, before the return.
  /// Throws: std::system_error: invalid_argument if not joinable; resource_deadlock_would_occur if
  /// it is the
  ///         caller itself; no_such_process if its runtime has ended and left it behind
  ///         (runtime::shutdown); what the fiber threw; std::errc::not_enough_memory if there was
  ///         no stack for it. What the destructor of the callable throws after the call is what the
  ///         fiber threw, and its result is destroyed; a destructor that throws while the call
  ///         unwinds, or one of a result, ends the process.
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

  /// Waits for the end at most that long, until a stop is requested, or both; true if it came. Then
  /// `join` returns at once. Neither asks the fiber to stop. `join` itself is not ended by a stop
  /// request on the caller.
  /// Throws: as join, what is not the fiber's own.
  [[nodiscard]] bool join_until(const std::stop_token& stop) {
    return wait_until(std::chrono::steady_clock::time_point::max(), &stop);
  }
  template <class Rep, class Period>
  [[nodiscard]] bool join_for(const std::stop_token& stop,
                              const std::chrono::duration<Rep, Period>& timeout) {
    return wait_until(detail::deadline_after(timeout), &stop);
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool join_until(const std::stop_token& stop,
                                const std::chrono::time_point<Clock, Duration>& deadline) {
    return wait_until(detail::to_steady(deadline), &stop);
  }
  template <class Rep, class Period>
  [[nodiscard]] bool join_for(const std::chrono::duration<Rep, Period>& timeout) {
    return wait_until(detail::deadline_after(timeout));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool join_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return wait_until(detail::to_steady(deadline));
  }

  /// Lets the fiber run on by itself. If it has thrown, or throws later, the runtime's
  /// unhandled-exception handler gets the exception. Throws: std::system_error, invalid_argument if
  /// not joinable.
  void detach() {
    if (task_ == nullptr) detail::throw_not_joinable("detach");
    detach_if_joinable();
  }

  /// Asks the fiber to stop: its stop_token says so, and a wait that can be stopped ends. Never
  /// blocks.
  void request_stop() noexcept {
    if (task_ != nullptr) detail::stop_task(*task_);
  }

  [[nodiscard]] id get_id() const noexcept {
    return task_ != nullptr ? id(detail::task_id(*task_)) : id();
  }

  void swap(fiber& other) noexcept { std::swap(task_, other.task_); }
  friend void swap(fiber& a, fiber& b) noexcept { a.swap(b); }

  /// For weft's own templates.
  explicit fiber(detail::task& t) noexcept : task_(&t) {}
  [[nodiscard]] detail::task* native_task() const noexcept { return task_; }

 private:
  using stored = detail::stored_result<T>;

  bool wait_until(std::chrono::steady_clock::time_point deadline,
                  const std::stop_token* stop = nullptr) {
    if (task_ == nullptr) detail::throw_not_joinable("join_for/join_until");
    return detail::join_task_until(*task_, deadline, stop);
  }

  // Hands the record back whatever happens; it is the last thing that touches it.
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

/// Starts f(args...) as a fiber of the current runtime; outside of any, of a default one that lives
/// until the process ends.
///
/// Blocks: never.   Orders: everything before the spawn, before the fiber's first step.
/// Throws: what copying or moving f and args throws; std::system_error: operation_not_permitted
/// when the runtime
///         has stopped, resource_unavailable_try_again at options::max_fibers, not_enough_memory.
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
  if constexpr (sizeof...(A) == 0 && detail::in_words<callable>) {
    return fiber<detail::spawn_result<F>>(detail::spawn_in_words(callable(std::forward<F>(f))));
  } else {
    detail::task& t =
        detail::make_task(nullptr, nullptr, std::forward<F>(f), std::forward<A>(args)...);
    detail::submit_task(t);
    return fiber<detail::spawn_result<F, A...>>(t);
  }
}

/// The same with attributes. Throws as above, and std::system_error, invalid_argument for a stack
/// size that is not a multiple of the page size or out of range.
template <class F, class... A>
[[gnu::always_inline]] inline fiber<detail::spawn_result<F, A...>> spawn(const attributes& attrs,
                                                                         F&& f, A&&... args) {
  detail::task& t =
      detail::make_task(nullptr, &attrs, std::forward<F>(f), std::forward<A>(args)...);
  detail::submit_task(t);
  return fiber<detail::spawn_result<F, A...>>(t);
}

}  // namespace weft

template <>
struct std::hash<weft::fiber_id> {
  std::size_t operator()(const weft::fiber_id& id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value());
  }
};
