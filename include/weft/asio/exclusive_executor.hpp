// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/asio/exclusive_executor.hpp - for use_fiber: the steps of an operation and its cancel, one
// by one.
//
// A composed operation puts a new handler into its cancellation slot with every step, and the
// cancel calls the one that is there. Asio leaves it to the caller that the two do not meet: by one
// thread or a strand. A context that several threads run, and weft's own, whose handlers are
// fibers, have neither.

#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include <boost/asio/execution.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>

namespace weft::asio::detail {

/// Runs functions as `Inner` does, each with the lock of `State`. It is recursive: a step may run
/// another function at once.
template <class Inner, class State>
class exclusive_executor {
 public:
  exclusive_executor(const Inner& inner, std::shared_ptr<State> state) noexcept
      : inner_(inner), state_(std::move(state)) {}

  template <class F>
  void execute(F&& f) const {
    if (!state_) return inner_.execute(std::forward<F>(f));
    inner_.execute([state = state_, f = std::decay_t<F>(std::forward<F>(f))]() mutable {
      const std::lock_guard guard(state->lock);
      std::move(f)();
    });
  }

  template <class P>
  auto query(const P& p) const -> decltype(boost::asio::query(std::declval<const Inner&>(), p)) {
    return boost::asio::query(inner_, p);
  }
  template <class P>
  auto require(const P& p) const -> exclusive_executor<
      std::decay_t<decltype(boost::asio::require(std::declval<const Inner&>(), p))>, State> {
    return {boost::asio::require(inner_, p), state_};
  }
  template <class P>
  auto prefer(const P& p) const -> exclusive_executor<
      std::decay_t<decltype(boost::asio::prefer(std::declval<const Inner&>(), p))>, State> {
    return {boost::asio::prefer(inner_, p), state_};
  }
  friend bool operator==(const exclusive_executor& a, const exclusive_executor& b) noexcept {
    return a.inner_ == b.inner_ && a.state_ == b.state_;
  }
  friend bool operator!=(const exclusive_executor& a, const exclusive_executor& b) noexcept {
    return !(a == b);
  }

 private:
  Inner inner_;
  std::shared_ptr<State> state_;
};

}  // namespace weft::asio::detail
