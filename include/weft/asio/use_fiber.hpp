// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/asio/use_fiber.hpp - a completion token: an asynchronous operation as a call that waits.
//
//   const std::size_t n = socket.async_read_some(buffer, weft::use_fiber);         // or throws
//   timer.async_wait(weft::use_fiber[ec]);                                         // or says why
//   resolver.async_resolve(host, "80", weft::use_fiber.cancelling(resolver).expires_after(2s));

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stop_token>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/version.hpp>
#include <weft/asio/error.hpp>
#include <weft/asio/results.hpp>
#include <weft/event.hpp>
#include <weft/recursive_mutex.hpp>
#include <weft/this_fiber.hpp>

#if BOOST_VERSION >= 107700
#include <boost/asio/cancellation_signal.hpp>
#include <weft/asio/exclusive_executor.hpp>
#define WEFT_ASIO_HAS_CANCELLATION 1
#else
#define WEFT_ASIO_HAS_CANCELLATION 0
#endif

namespace weft {

namespace asio::detail {

/// Shared with a request to cancel, which may run on any thread: the operation, or that it is over.
struct cancellation {
  weft::recursive_mutex lock;
  bool over = false;  // lock: the object may be gone
#if WEFT_ASIO_HAS_CANCELLATION
  boost::asio::cancellation_signal signal;  // lock
#endif
};
using canceller = void (*)(void* object, const std::shared_ptr<cancellation>& state);

/// A cancel that fails, such as that of a socket which was closed meanwhile, is none; and so is one
/// for which there is no memory.
template <class Executor, class F>
void cancel_on(const Executor& executor, const std::shared_ptr<cancellation>& state,
               F cancel) noexcept {
  try {
    boost::asio::dispatch(executor, [state, cancel = std::move(cancel)]() noexcept {
      try {
        const std::lock_guard guard(state->lock);
        if (!state->over) cancel();
      } catch (...) {
      }
    });
  } catch (...) {
  }
}

}  // namespace asio::detail

/// The completion token that makes an asynchronous operation of Asio a call. Each function returns
/// a token with one more setting.
///
/// The operation's result is the call's: nothing, the value, or a tuple of values. A leading
/// error_code is thrown (boost::system::system_error), or stored by `[ec]`; so is the code of a
/// leading exception_ptr that holds a boost::system::system_error, and any other is thrown. An
/// operation that is dropped with its context fails with operation_aborted.
///
/// A stop request on the fiber cancels the operation: with Boost 1.77 and later by its cancellation
/// slot; with any version by the object's cancel(), if cancelling() names the object (this cancels
/// all operations of that object). Without either the wait goes on. The result is then the
/// operation's own, as a rule operation_aborted. An operation that consists of several, such as
/// boost::asio::async_read, is cancelled again until it has ended: a cancel between two of them
/// finds nothing.
/// Blocks: the fiber or plain thread, until the handler is called, on any thread.
/// Throws: what copying the result throws, too.
/// Orders: the handler's call, before the return.
/// Example: test/unit/asio_use_fiber_test.cpp [timers, sockets and names]
class use_fiber_t {
 public:
  /// The type of deadlines.
  using time_point = std::chrono::steady_clock::time_point;

  /// A token without settings.
  constexpr use_fiber_t() noexcept = default;

  /// Stores errors in `ec`.
  [[nodiscard]] constexpr use_fiber_t operator[](boost::system::error_code& ec) const noexcept {
    use_fiber_t t = *this;
    t.ec_ = &ec;
    return t;
  }
  /// Cancels by object.cancel(), called on the object's executor.
  template <class Object>
  [[nodiscard]] use_fiber_t cancelling(Object& object) const noexcept {
    use_fiber_t t = *this;
    t.object_ = &object;
    t.cancel_ = [](void* o, const std::shared_ptr<asio::detail::cancellation>& state) {
      auto& it = *static_cast<Object*>(o);
      asio::detail::cancel_on(it.get_executor(), state, [&it] { it.cancel(); });
    };
    return t;
  }
  /// Cancels at `t`, and fails with boost::asio::error::timed_out.
  /// Throws: when used, std::system_error with operation_not_supported if nothing can cancel.
  [[nodiscard]] use_fiber_t expires_at(time_point t) const noexcept {
    use_fiber_t token = *this;
    token.deadline_ = t;
    return token;
  }
  /// The same after `d`.
  template <class Rep, class Period>
  [[nodiscard]] use_fiber_t expires_after(
      const std::chrono::duration<Rep, Period>& d) const noexcept {
    return expires_at(weft::detail::deadline_after(d));
  }

  /// For async_result only, as all below.
  boost::system::error_code* ec_ = nullptr;
  /// For async_result only.
  void* object_ = nullptr;
  /// For async_result only.
  asio::detail::canceller cancel_ = nullptr;
  /// For async_result only.
  time_point deadline_ = time_point::max();
};

/// The token: `timer.async_wait(weft::use_fiber)`.
inline constexpr use_fiber_t use_fiber;

namespace asio::detail {

/// What an initiation has if Asio shall tell its executor: void if it has none.
template <class Initiation>
struct executor_of {
  using type = void;
};
template <class Initiation>
  requires requires { typename Initiation::executor_type; }
struct executor_of<Initiation> {
  using type = typename Initiation::executor_type;
};

/// Where the steps of an operation run: as Asio chooses, unless a cancel could come between.
template <class Executor>
struct handler_executor {
  handler_executor(const auto&, const std::shared_ptr<cancellation>&) noexcept {}
};
#if WEFT_ASIO_HAS_CANCELLATION
template <class Executor>
  requires(!std::is_void_v<Executor>) && boost::asio::execution::is_executor<Executor>::value
class handler_executor<Executor> {
 public:
  using executor_type = exclusive_executor<Executor, cancellation>;
  handler_executor(const Executor& e, const std::shared_ptr<cancellation>& state) noexcept
      : executor_(e, state) {}
  [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

 private:
  executor_type executor_;
};
#endif

/// One operation, on the stack of the agent that waits for it.
template <class... Values>
class operation {
 public:
  using values = std::tuple<Values...>;
  using kept = without_failure<values>;
  using result = typename result_of<typename kept::type>::type;

  /// Called once, or dropped; either ends the wait. `Executor` is the initiation's.
  template <class Executor>
  class handler : public handler_executor<Executor> {
   public:
    handler(operation& op, const auto& executor) noexcept
        : handler_executor<Executor>(executor, op.state_), op_(&op) {
#if WEFT_ASIO_HAS_CANCELLATION
      if (op.state_) slot_ = op.state_->signal.slot();
#endif
    }
    handler(handler&& other) noexcept
        : handler_executor<Executor>(other), op_(std::exchange(other.op_, nullptr)) {
#if WEFT_ASIO_HAS_CANCELLATION
      slot_ = other.slot_;
#endif
    }
    handler& operator=(handler&&) = delete;
    ~handler() {
      if (op_ != nullptr) op_->done_.set();
    }
    template <class... Args>
    void operator()(Args&&... args) {
      try {
        op_->values_.emplace(std::forward<Args>(args)...);
      } catch (...) {
        op_->thrown_ = std::current_exception();
      }
      std::exchange(op_, nullptr)->done_.set();  // after this the operation may be gone
    }
#if WEFT_ASIO_HAS_CANCELLATION
    using cancellation_slot_type = boost::asio::cancellation_slot;
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return slot_; }
#endif

   private:
    operation* op_;
#if WEFT_ASIO_HAS_CANCELLATION
    boost::asio::cancellation_slot slot_;
#endif
  };

  explicit operation(const use_fiber_t& token)
      : token_(token), stop_(weft::this_fiber::stop_token()) {
    static_cast<void>(weft::detail::agent_key());  // a thread's first wait needs memory
    const bool limited = token.deadline_ != use_fiber_t::time_point::max();
    const bool able = token.cancel_ != nullptr || WEFT_ASIO_HAS_CANCELLATION;
    if (limited && !able)
      throw std::system_error(
          std::make_error_code(std::errc::operation_not_supported),
          "weft: use_fiber has a deadline, and nothing to cancel: name the object, cancelling(o)");
    if (able && (limited || stop_.stop_possible())) state_ = std::make_shared<cancellation>();
  }
  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;

  /// After the initiation, whose executor an operation without an object is cancelled on.
  template <class Executor>
  result wait(const Executor& executor) {
    bool timed_out = false;
    if (!state_) {
      done_.wait();
    } else {
      if (!ends_in_time()) {
        timed_out = !stop_.stop_requested();
        auto pause = first_pause;
        do cancel(executor);
        while (!ends_within(std::exchange(pause, std::min(2 * pause, longest_pause))));
      }
      const std::lock_guard guard(state_->lock);
      state_->over = true;
    }
    return finish(timed_out);
  }

 private:
  // Between two cancels.
  static constexpr std::chrono::milliseconds first_pause{1}, longest_pause{128};

  // False: its time is over, or a stop was requested. Asio has a pointer to this object until the
  // end of the operation: without memory for the deadline it looks now and then.
  bool ends_in_time() noexcept {
    try {
      return done_.wait_until(stop_, token_.deadline_);
    } catch (const std::bad_alloc&) {
    }
    while (!done_.is_set()) {
      if (stop_.stop_requested() || token_.deadline_ <= std::chrono::steady_clock::now())
        return false;
      static_cast<void>(weft::this_fiber::sleep_for(first_pause));
    }
    return true;
  }
  bool ends_within(std::chrono::milliseconds time) noexcept {
    try {
      return done_.wait_for(time);
    } catch (const std::bad_alloc&) {  // after a stop request sleeps end at once
      weft::this_fiber::yield();
      return done_.is_set();
    }
  }

  template <class Executor>
  void cancel([[maybe_unused]] const Executor& executor) noexcept {
    if (token_.cancel_ != nullptr) return token_.cancel_(token_.object_, state_);
#if WEFT_ASIO_HAS_CANCELLATION
    cancel_on(executor, state_,
              [s = state_.get()] { s->signal.emit(boost::asio::cancellation_type::terminal); });
#endif
  }

  void fail(boost::system::error_code ec, bool timed_out) {
    if (timed_out && ec == boost::asio::error::operation_aborted)
      ec = boost::asio::error::timed_out;
    if (token_.ec_ == nullptr) throw boost::system::system_error(ec, "weft: use_fiber");
    *token_.ec_ = ec;
  }

  void fail_by(const std::exception_ptr& failure, bool timed_out) {
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
      const bool ours = timed_out && e.code() == boost::asio::error::operation_aborted;
      if (token_.ec_ == nullptr && !ours) throw;
      fail(e.code(), timed_out);
    }
  }

  result finish(bool timed_out) {
    if (token_.ec_ != nullptr) *token_.ec_ = {};
    if (thrown_) std::rethrow_exception(std::move(thrown_));
    if (!values_) {
      if constexpr (std::is_void_v<result> || std::is_default_constructible_v<result>) {
        fail(boost::asio::error::operation_aborted, timed_out);
        return result();
      } else {  // nothing could be returned beside the code
        throw boost::system::system_error(boost::asio::error::operation_aborted, "weft: use_fiber");
      }
    }
    if constexpr (kept::first == 1) {
      auto& failure = std::get<0>(*values_);
      if (failure) {
        using type = std::decay_t<decltype(failure)>;
        if constexpr (std::is_same_v<type, std::exception_ptr>) {
          fail_by(failure, timed_out);
        } else if constexpr (std::is_same_v<type, std::error_code>) {
          if (timed_out && failure == std::errc::operation_canceled)
            failure = std::make_error_code(std::errc::timed_out);
          if (token_.ec_ == nullptr) throw std::system_error(failure, "weft: use_fiber");
          *token_.ec_ = to_boost(failure);
        } else {
          fail(failure, timed_out);
        }
      }
    }
    return take(std::make_index_sequence<sizeof...(Values) - kept::first>());
  }
  template <std::size_t... I>
  result take(std::index_sequence<I...>) {
    if constexpr (sizeof...(I) == 0)
      return;
    else if constexpr (sizeof...(I) == 1)
      return std::move(std::get<kept::first>(*values_));
    else
      return result(std::move(std::get<kept::first + I>(*values_))...);
  }
  use_fiber_t token_;
  std::stop_token stop_;
  std::shared_ptr<cancellation> state_;  // null: nothing will be cancelled
  std::optional<values> values_;         // before done_
  std::exception_ptr thrown_;            // before done_: by the copy of a value
  weft::event done_;
};

}  // namespace asio::detail
}  // namespace weft

template <class R, class... Args>
class boost::asio::async_result<weft::use_fiber_t, R(Args...)> {
  using operation = weft::asio::detail::operation<std::decay_t<Args>...>;

 public:
  using return_type = typename operation::result;

  template <class Initiation, class... InitArgs>
  static return_type initiate(Initiation&& initiation, const weft::use_fiber_t& token,
                              InitArgs&&... args) {
    // Asked before: the initiation is used up by the call.
    const auto executor = boost::asio::get_associated_executor(initiation);
    operation op(token);
    using handler = typename operation::template handler<
        typename weft::asio::detail::executor_of<std::decay_t<Initiation>>::type>;
    std::forward<Initiation>(initiation)(handler(op, executor), std::forward<InitArgs>(args)...);
    return op.wait(executor);
  }
};
