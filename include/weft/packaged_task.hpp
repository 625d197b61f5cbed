// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/packaged_task.hpp - a function whose result goes to a future, as the standard's, and
// children of a scope with results.

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/future.hpp>
#include <weft/scope.hpp>

namespace WEFT_API weft {

namespace detail {

template <class R, class... A>
struct packaged_state : future_state<R> {
  virtual void call(A... args) = 0;  // provides the result
  virtual void call_quietly(A... args) = 0;
  virtual std::shared_ptr<packaged_state> fresh() = 0;
};

template <class F, class R, class... A>
class packaged_function final : public packaged_state<R, A...> {
 public:
  template <class G>
  explicit packaged_function(G&& f) : f_(std::forward<G>(f)) {}
  void call(A... args) override {
    this->provide_result([&]() -> R { return invoke(std::forward<A>(args)...); });
  }
  void call_quietly(A... args) override {
    this->store_result([&]() -> R { return invoke(std::forward<A>(args)...); });
  }
  std::shared_ptr<packaged_state<R, A...>> fresh() override {
    return std::make_shared<packaged_function>(std::move(f_));
  }

 private:
  R invoke(A... args) {
    if constexpr (std::is_void_v<R>)
      std::invoke(f_, std::forward<A>(args)...);
    else
      return std::invoke(f_, std::forward<A>(args)...);
  }
  F f_;
};

}  // namespace detail

template <class Signature>
class packaged_task;

/// A function that is called once, by any fiber or thread. Its result or exception goes to a
/// future.
/// Example: test/unit/examples_futures_test.cpp [packaged_task]
/// ```
///     weft::packaged_task<int(int)> square([](int n) { return n * n; });
///     weft::future<int> f = square.get_future();
///     weft::spawn(std::move(square), 7).detach();
///     const int result = f.get();
/// ```
template <class R, class... A>
class packaged_task<R(A...)> {
 public:
  /// A task without a function.
  packaged_task() noexcept = default;
  /// A task that calls `f`, which is copied or moved.
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, packaged_task>)
  explicit packaged_task(F&& f)
      : state_(std::make_shared<detail::packaged_function<std::decay_t<F>, R, A...>>(
            std::forward<F>(f))) {}
  packaged_task(packaged_task&&) noexcept = default;
  packaged_task& operator=(packaged_task&& other) noexcept {
    packaged_task(std::move(other)).swap(*this);
    return *this;
  }
  ~packaged_task() {
    if (state_ != nullptr) state_->abandon();
  }

  /// True if there is a function.
  [[nodiscard]] bool valid() const noexcept { return state_ != nullptr; }
  /// The future of this task. It can be taken once.
  /// Throws: std::future_error (future_already_retrieved, no_state).
  [[nodiscard]] future<R> get_future() {
    need().retrieve();
    return future<R>(state_);
  }
  /// Calls the function. It can be called once.
  /// Throws: std::future_error (promise_already_satisfied, no_state).
  void operator()(A... args) { need().call(std::forward<A>(args)...); }
  /// Calls the function now; the future becomes ready at the end of the calling fiber or thread.
  void make_ready_at_thread_exit(A... args) {
    state& s = need();
    detail::publish_at_exit(state_, [&] { s.call_quietly(std::forward<A>(args)...); });
  }
  /// Drops the result. The task can be called again, and has a new future.
  void reset() {
    auto fresh = need().fresh();
    state_->abandon();
    state_ = std::move(fresh);
  }
  /// Exchanges the functions and states.
  void swap(packaged_task& other) noexcept { state_.swap(other.state_); }

 private:
  using state = detail::packaged_state<R, A...>;
  state& need() const {
    if (state_ == nullptr) detail::throw_future_error(std::future_errc::no_state);
    return *state_;
  }
  std::shared_ptr<state> state_;
};
/// Exchanges the functions and states.
template <class S>
void swap(packaged_task<S>& a, packaged_task<S>& b) noexcept {
  a.swap(b);
}

/// Starts f(args...) as a child of `children`, and returns a future for its result. What the
/// function throws goes to the future, not to the scope. The child's stop token comes first if `f`
/// takes one, as by spawn().
/// Throws: as scope::spawn().
/// Example: test/unit/examples_futures_test.cpp [spawn_future]
/// ```
///     weft::scope lookups;
///     auto a = weft::spawn_future(lookups, [] { return 20; });
///     auto b = weft::spawn_future(lookups, [](int n) { return n; }, 22);
///     const int sum = a.get() + b.get();
/// ```
template <class F, class... A>
[[nodiscard]] auto spawn_future(scope& children, F&& f, A&&... args) {
  using R = detail::spawn_result<F, A...>;
  packaged_task<R(std::decay_t<A>...)> task(
      [f = std::decay_t<F>(std::forward<F>(f))](std::decay_t<A>... a) mutable -> R {
        return detail::spawn_call<F, A...>::call(f, a...);
      });
  future<R> result = task.get_future();
  children.spawn(std::move(task), std::forward<A>(args)...);
  return result;
}

}  // namespace WEFT_API weft
