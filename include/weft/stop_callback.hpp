// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/stop_callback.hpp - std::stop_callback for functions that may wait.
//
// std::stop_callback knows who runs it by the thread. A fiber that waits in it lets others run on
// that thread; if one of them destroys it, it takes itself for the one that runs it, and does not
// wait for its end; a fiber that goes on on another thread and destroys its own waits for itself.
// So a function given to std::stop_callback must not wait, nor yield, in a fiber: with
// fiber<T>::request_stop, a scope's, or the shutdown of a runtime that ends the process with a
// report. (Of a stop request made by std::stop_source itself weft hears nothing.)

#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <weft/event.hpp>
#include <weft/fiber.hpp>
#include <weft/this_fiber.hpp>

namespace weft {

/// Calls a function once a stop is requested on a token, in a fiber of its own: it may wait, lock
/// and send. If the stop was requested before, the constructor calls it right here.
///
/// Destroying it takes the function back. If the stop was requested before, the function is called
/// all the same, and the destructor returns after its end, whoever runs on which thread; in the
/// function itself it returns at once. The request does not wait for the function.
/// Blocks: the constructor and the destructor, the calling fiber, or thread, while they wait for
/// the function; not ended by a
///         stop request.
/// Orders: what came before the request, before the call; the call, before the return of the
/// destructor.
/// Throws: the constructor, as weft::spawn and what moving the function throws. A function that
/// throws ends the process. Costs: a fiber that waits. Where the function cannot wait,
/// std::stop_callback costs nothing.
/// Example: test/unit/examples_waiting_test.cpp [stop_callback]
/// ```
///   weft::stop_callback farewell(weft::this_fiber::stop_token(), [&] { out.send("good-bye"); });
///   // send may wait serve();
/// ```
template <class F>
class [[nodiscard]] stop_callback {
  static_assert(std::is_invocable_v<F> && std::is_destructible_v<F>,
                "weft::stop_callback: the function takes no arguments");

 public:
  using callback_type = F;

  template <class C>
    requires std::is_constructible_v<F, C>
  explicit stop_callback(std::stop_token stop, C&& function) {
    if (!stop.stop_possible()) return;
    if (stop.stop_requested()) {
      call(F(std::forward<C>(function)));
      return;
    }
    waits_ =
        spawn([this, stop = std::move(stop), f = F(std::forward<C>(function))]() mutable noexcept {
          static_cast<void>(taken_back_.wait(stop));
          if (stop.stop_requested()) call(std::move(f));
        });
  }
  ~stop_callback() {
    if (!waits_.joinable()) return;
    taken_back_.set();
    if (waits_.get_id() == this_fiber::get_id())
      waits_.detach();
    else
      waits_.join();
  }
  stop_callback(const stop_callback&) = delete;
  stop_callback& operator=(const stop_callback&) = delete;

 private:
  static void call(F&& f) noexcept { std::forward<F>(f)(); }

  event taken_back_;
  fiber<void> waits_;
};

template <class F>
stop_callback(std::stop_token, F) -> stop_callback<F>;

}  // namespace weft
