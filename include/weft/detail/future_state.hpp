// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/future_state.hpp - what a promise and its futures share.
//
// FUTURE-1  exactly one provider begins `provision_` and does not give it back. It alone writes the
//   value or the error, and sets the event after: a waiter that has seen the event set reads them
//   (acquire).
// A value whose constructor throws leaves the state empty again: another attempt may follow.
// The state is shared by std::shared_ptr, so the provider may touch the event although the future
// that it wakes is gone.

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <utility>

#include <weft/detail/at_exit.hpp>
#include <weft/detail/export.hpp>
#include <weft/detail/provision.hpp>
#include <weft/event.hpp>
#include <weft/once.hpp>

namespace weft {
namespace WEFT_API detail {

[[noreturn]] inline void throw_future_error(std::future_errc why) { throw std::future_error(why); }

/// With none the future would be ready and have neither an error nor a value.
inline void require_error(const std::exception_ptr& error) {
  if (error == nullptr)
    throw std::invalid_argument("weft::promise: set_exception was given no exception");
}

template <class T>
struct future_value {
  std::optional<T> value;
  template <class U>
  void set(U&& u) {
    value.emplace(std::forward<U>(u));
  }
  T take() { return std::move(*value); }
  const T& view() const { return *value; }
};
template <class T>
struct future_value<T&> {
  T* value = nullptr;
  void set(T& t) noexcept { value = std::addressof(t); }
  T& take() const { return *value; }
  T& view() const { return *value; }
};
template <>
struct future_value<void> {
  void set() const noexcept {}
  void take() const noexcept {}
  void view() const noexcept {}
};

class future_state_base {
 public:
  future_state_base() = default;
  virtual ~future_state_base() = default;
  future_state_base(const future_state_base&) = delete;
  future_state_base& operator=(const future_state_base&) = delete;

  [[nodiscard]] bool is_ready() const noexcept { return ready_.is_set(); }
  [[nodiscard]] virtual bool is_deferred() const noexcept { return false; }
  virtual void run_deferred() {}

  void wait() {
    run_deferred();
    ready_.wait();
  }
  [[nodiscard]] bool wait(const std::stop_token& stop) {
    run_deferred();
    return ready_.wait(stop);
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::future_status wait_until(
      const std::chrono::time_point<Clock, Duration>& deadline) {
    if (is_deferred()) return std::future_status::deferred;
    return ready_.wait_until(deadline) ? std::future_status::ready : std::future_status::timeout;
  }
  template <class Rep, class Period>
  [[nodiscard]] std::future_status wait_for(const std::chrono::duration<Rep, Period>& timeout) {
    if (is_deferred()) return std::future_status::deferred;
    return ready_.wait_for(timeout) ? std::future_status::ready : std::future_status::timeout;
  }

  /// One future only, as the standard has it.
  void retrieve() {
    if (retrieved_.exchange(true, std::memory_order_relaxed))
      throw_future_error(std::future_errc::future_already_retrieved);
  }

  template <class Store>
  void provide(Store&& store) {
    provide_quietly(std::forward<Store>(store));
    publish();
  }
  /// Wakes no waiter: publish() follows at the end of the fiber or thread.
  template <class Store>
  void provide_quietly(Store&& store) {
    begin();
    try {
      store();
    } catch (...) {
      provision_.give_back();
      throw;
    }
    provision_.done();
  }
  void publish() noexcept { ready_.set(); }
  void set_error(std::exception_ptr error) {
    provide([&] { error_ = std::move(error); });
  }
  void set_error_quietly(std::exception_ptr error) {
    provide_quietly([&] { error_ = std::move(error); });
  }
  /// The provider goes away. Without memory for the error, the future gets std::bad_alloc.
  void abandon() noexcept {
    if (!provision_.is_free()) return;
    std::exception_ptr error;
    try {
      error = std::make_exception_ptr(std::future_error(std::future_errc::broken_promise));
    } catch (const std::bad_alloc&) {
      error = std::current_exception();
    }
    set_error(std::move(error));
  }
  void throw_error() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void begin() {
    if (!provision_.begin()) throw_future_error(std::future_errc::promise_already_satisfied);
  }

  event ready_;
  std::exception_ptr error_;
  basic_provision<> provision_;
  std::atomic<bool> retrieved_{false};
};

template <class T>
class future_state : public future_state_base {
 public:
  future_value<T> result;

  /// Calls `f` and keeps what it returns or throws.
  template <class F>
  void provide_result(F&& f) {
    store_result(std::forward<F>(f));
    publish();
  }
  template <class F>
  void store_result(F&& f) {
    try {
      if constexpr (std::is_void_v<T>) {
        provide_quietly([&] { std::invoke(std::forward<F>(f)); });
      } else {
        provide_quietly([&] { result.set(std::invoke(std::forward<F>(f))); });
      }
    } catch (...) {
      set_error_quietly(std::current_exception());
    }
  }
};

/// Calls `provide`, then publishes `state` at the end of the calling fiber or thread. The end is
/// asked for first: nothing can fail once the result is there and no one would publish it.
template <class State, class Provide>
void publish_at_exit(const std::shared_ptr<State>& state, Provide&& provide) {
  const auto provided = std::make_shared<bool>(false);
  at_exit_run([state, provided] {
    if (*provided) state->publish();
  });
  std::forward<Provide>(provide)();
  *provided = true;
}

}  // namespace WEFT_API detail
}  // namespace weft
