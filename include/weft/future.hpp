// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/future.hpp - future, shared_future, promise and async, as the standard's. Their waits park a
// fiber and block a plain thread, and fibers and threads may be mixed.

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/future_state.hpp>
#include <weft/detail/unless_run.hpp>
#include <weft/fiber.hpp>
#include <weft/this_fiber.hpp>

namespace WEFT_API weft {

template <class T>
class shared_future;
template <class T>
class promise;

namespace detail {

template <class T>
class future_base {
 public:
  using state = future_state<T>;

  /// True if there is a state. There is none after get() and share(), and in a default-constructed
  /// future.
  [[nodiscard]] bool valid() const noexcept { return state_ != nullptr; }
  /// Waits until the result is there. A deferred function runs now.
  /// Blocks: the calling fiber or thread. A stop request does not end the wait; pass a token for
  /// that.
  /// Throws: std::future_error (no_state).
  void wait() const { need().wait(); }
  /// Waits until the result is there or a stop is requested on `stop`; true if it is there.
  [[nodiscard]] bool wait(const std::stop_token& stop) const { return need().wait(stop); }
  /// Waits for at most `timeout`. Returns ready, timeout, or deferred without waiting.
  template <class Rep, class Period>
  std::future_status wait_for(const std::chrono::duration<Rep, Period>& timeout) const {
    return need().wait_for(timeout);
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  std::future_status wait_until(const std::chrono::time_point<Clock, Duration>& deadline) const {
    return need().wait_until(deadline);
  }

 protected:
  future_base() noexcept = default;
  explicit future_base(std::shared_ptr<state> s) noexcept : state_(std::move(s)) {}
  state& need() const {
    if (state_ == nullptr) throw_future_error(std::future_errc::no_state);
    return *state_;
  }
  std::shared_ptr<state> state_;
};

template <class T>
class promise_base {
 public:
  promise_base() : state_(std::make_shared<future_state<T>>()) {}
  template <class Allocator>
  promise_base(std::allocator_arg_t, const Allocator& a)
      : state_(std::allocate_shared<future_state<T>>(a)) {}
  promise_base(promise_base&&) noexcept = default;
  promise_base& operator=(promise_base&& other) noexcept {
    promise_base(std::move(other)).exchange(*this);
    return *this;
  }
  ~promise_base() {
    if (state_ != nullptr) state_->abandon();
  }

  /// The future of this promise. It can be taken once.
  /// Throws: std::future_error (future_already_retrieved, no_state).
  [[nodiscard]] auto get_future();
  /// Makes the future ready with an exception.
  /// Throws: std::future_error (promise_already_satisfied, no_state); std::invalid_argument if
  /// `error` is null.
  void set_exception(std::exception_ptr error) {
    future_state<T>& s = need();
    require_error(error);
    s.set_error(std::move(error));
  }
  /// The same, at the end of the calling fiber or thread, after its fiber_local values are gone.
  void set_exception_at_thread_exit(std::exception_ptr error) {
    future_state<T>& s = need();
    require_error(error);
    publish_at_exit(state_, [&] { s.set_error_quietly(std::move(error)); });
  }

 protected:
  future_state<T>& need() const {
    if (state_ == nullptr) throw_future_error(std::future_errc::no_state);
    return *state_;
  }
  template <class... U>
  void provide(U&&... u) {
    future_state<T>& s = need();
    s.provide([&] { s.result.set(std::forward<U>(u)...); });
  }
  template <class... U>
  void provide_at_exit(U&&... u) {
    future_state<T>& s = need();
    publish_at_exit(state_,
                    [&] { s.provide_quietly([&] { s.result.set(std::forward<U>(u)...); }); });
  }
  void exchange(promise_base& other) noexcept { state_.swap(other.state_); }
  std::shared_ptr<future_state<T>> state_;
};

[[noreturn]] void async_drops_its_own_future() noexcept;

template <class T>
struct async_state final : future_state<T> {
  /// When the last future goes: waits for the fiber. One that was left behind may still run, and
  /// write to the state: that stays.
  struct end {
    void operator()(async_state* s) const noexcept {
      if (s->has_ended())
        delete s;
      else
        s->next_kept = kept.exchange(s, std::memory_order_relaxed);  // reachable, for leak checkers
    }
  };
  static inline constinit std::atomic<async_state*> kept{nullptr};
  async_state* next_kept = nullptr;
  bool has_ended() noexcept {
    if (this_fiber::is_fiber() && worker.get_id() == this_fiber::get_id()) {
      // By what its function owned, after the result is there: nothing touches the state any more.
      if (!this->is_ready()) async_drops_its_own_future();
      return true;
    }
    while (worker.joinable()) try {
        worker.join();
      } catch (const std::system_error& e) {
        if (e.code() == std::errc::no_such_process) return false;
        this_fiber::yield();
      } catch (...) {
        // It has told the state; or it is a plain thread's first wait, without memory.
        this_fiber::yield();
      }
    return true;
  }
  // Its fiber had no memory for a stack.
  void never_run() noexcept {
    this->set_error(no_stack_error("weft::async: there is no stack for the fiber"));
  }
  fiber<void> worker;
};

template <class T, class F>
class deferred_state final : public future_state<T> {
 public:
  explicit deferred_state(F f) : f_(std::move(f)) {}
  [[nodiscard]] bool is_deferred() const noexcept override { return !this->is_ready(); }
  void run_deferred() override {
    call_once(ran_, [this] { this->provide_result(std::move(f_)); });
  }

 private:
  F f_;
  once_flag ran_;
};

}  // namespace detail

/// The one receiver of a result that a promise, packaged_task or async() provides.
/// Lifetime: the last future of async() waits for its fiber in its destructor, as the standard's.
/// Example: test/unit/examples_futures_test.cpp [future]
/// ```
///     weft::promise<int> p;
///     weft::future<int> f = p.get_future();
///     weft::spawn([p = std::move(p)]() mutable { p.set_value(42); }).detach();
///     const int answer = f.get();  // parks this fiber
/// ```
template <class T>
class [[nodiscard]] future : public detail::future_base<T> {
 public:
  /// Without a state.
  future() noexcept = default;
  future(future&&) noexcept = default;
  future& operator=(future&&) noexcept = default;
  explicit future(std::shared_ptr<detail::future_state<T>> s) noexcept
      : detail::future_base<T>(std::move(s)) {}

  /// Waits for the result and returns it, or throws the exception that was provided. valid() is
  /// false afterwards.
  /// Throws: std::future_error (no_state).
  T get() {
    this->need();
    const std::shared_ptr<detail::future_state<T>> s = std::move(this->state_);
    s->wait();
    s->throw_error();
    return s->result.take();
  }
  /// A future for the same result that can be copied. valid() is false afterwards.
  shared_future<T> share() noexcept { return shared_future<T>(std::move(*this)); }

 private:
  friend class shared_future<T>;
};

/// A result for many receivers: copies of it may be used by different fibers and threads.
/// Example: test/unit/examples_futures_test.cpp [shared_future]
/// ```
///     weft::promise<int> p;
///     const weft::shared_future<int> go = p.get_future().share();
///     auto a = weft::spawn([go] { return go.get() + 1; });
///     auto b = weft::spawn([go] { return go.get() + 2; });
///     p.set_value(10);
/// ```
template <class T>
class shared_future : public detail::future_base<T> {
 public:
  /// Without a state.
  shared_future() noexcept = default;
  shared_future(const shared_future&) noexcept = default;
  shared_future(shared_future&&) noexcept = default;
  shared_future(future<T>&& f) noexcept : detail::future_base<T>(std::move(f.state_)) {}
  shared_future& operator=(const shared_future&) noexcept = default;
  shared_future& operator=(shared_future&&) noexcept = default;

  /// Waits for the result. Returns a reference, which is valid as long as a copy of this future
  /// is, or throws the exception that was provided.
  /// Throws: std::future_error (no_state).
  decltype(auto) get() const {
    auto& s = this->need();
    s.wait();
    s.throw_error();
    return s.result.view();
  }
};

/// Provides a result for a future. If it is destroyed without a result, the future gets
/// std::future_errc::broken_promise, or std::bad_alloc if there is no memory for that.
template <class T>
class promise : public detail::promise_base<T> {
 public:
  using detail::promise_base<T>::promise_base;
  /// Makes the future ready with a value.
  /// Throws: std::future_error (promise_already_satisfied, no_state); what the value's constructor
  /// throws, and the promise can be used again after that.
  void set_value(const T& value) { this->provide(value); }
  void set_value(T&& value) { this->provide(std::move(value)); }
  /// The same, at the end of the calling fiber or thread, after its fiber_local values are gone.
  void set_value_at_thread_exit(const T& value) { this->provide_at_exit(value); }
  void set_value_at_thread_exit(T&& value) { this->provide_at_exit(std::move(value)); }
  /// Exchanges the states.
  void swap(promise& other) noexcept { this->exchange(other); }
};
/// A promise of a reference.
template <class T>
class promise<T&> : public detail::promise_base<T&> {
 public:
  using detail::promise_base<T&>::promise_base;
  /// Makes the future ready.
  void set_value(T& value) { this->provide(value); }
  /// The same, at the end of the calling fiber or thread.
  void set_value_at_thread_exit(T& value) { this->provide_at_exit(value); }
  /// Exchanges the states.
  void swap(promise& other) noexcept { this->exchange(other); }
};
/// A promise that something has happened.
template <>
class promise<void> : public detail::promise_base<void> {
 public:
  using detail::promise_base<void>::promise_base;
  /// Makes the future ready.
  void set_value() { provide(); }
  /// The same, at the end of the calling fiber or thread.
  void set_value_at_thread_exit() { provide_at_exit(); }
  /// Exchanges the states.
  void swap(promise& other) noexcept { exchange(other); }
};
/// Exchanges the states.
template <class T>
void swap(promise<T>& a, promise<T>& b) noexcept {
  a.swap(b);
}

template <class T>
auto detail::promise_base<T>::get_future() {
  need().retrieve();
  return future<T>(state_);
}

/// Calls `f(args...)` on a fiber of its own (std::launch::async, also if both policies are given),
/// or in the first wait() or get() (std::launch::deferred). Arguments are copied or moved, as by
/// spawn(), and the stop token of the fiber that makes the call comes first if `f` takes one.
/// Lifetime: the last future waits for the fiber in its destructor.
/// Errors: if `f` itself destroys the last future, the process ends with a report. (What `f` owns
/// may, when `f` is destroyed: the result is there then.)
/// Throws: as spawn(). If there is no memory for the fiber's stack, the future has that error.
/// Example: test/unit/examples_futures_test.cpp [async]
/// ```
///     auto words = weft::async([] { return std::string("from a fiber"); });
///     const std::string text = words.get();
/// ```
template <class F, class... A>
[[nodiscard]] auto async(std::launch policy, F&& f, A&&... args) {
  using R = detail::spawn_result<F, A...>;
  auto call = [f = std::decay_t<F>(std::forward<F>(f)),
               ... a = std::decay_t<A>(std::forward<A>(args))]() mutable -> R {
    return detail::spawn_call<F, A...>::call(f, a...);
  };
  if ((policy & std::launch::async) != std::launch::async)
    return future<R>(std::make_shared<detail::deferred_state<R, decltype(call)>>(std::move(call)));
  const std::shared_ptr<detail::async_state<R>> s(new detail::async_state<R>,
                                                  typename detail::async_state<R>::end());
  detail::unless_run tell([state = s.get()]() noexcept { state->never_run(); });
  s->worker = spawn([state = s.get(), call = std::move(call), tell = std::move(tell)]() mutable {
    tell.runs();
    state->provide_result(std::move(call));
  });
  return future<R>(s);
}
template <class F, class... A>
  requires(!std::is_same_v<std::decay_t<F>, std::launch>)
[[nodiscard]] auto async(F&& f, A&&... args) {
  return weft::async(std::launch::async, std::forward<F>(f), std::forward<A>(args)...);
}

}  // namespace WEFT_API weft

template <class T, class Allocator>
struct std::uses_allocator<weft::promise<T>, Allocator> : std::true_type {};
