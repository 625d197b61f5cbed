// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/stop_callback.hpp - std::stop_callback for functions that may wait.
//
// A function given to std::stop_callback must not wait or yield in a fiber. std::stop_callback
// recognises the thread that runs the function by its id. If the function parks, other fibers run
// on that thread, and one that destroys the callback would be taken for the function itself and not
// wait for its end. And a fiber that continues on another thread and destroys its own callback
// would wait for itself. If such a function parks during fiber<T>::request_stop, a scope's
// request_stop or a shutdown, weft ends the process with a report. (weft does not see a request
// made by std::stop_source itself.)
//
// Nothing outside the standard library can mend that. The requester's thread id is kept in the stop
// state and compared in code that is compiled into the application; no hook leads there, and the id
// is pthread_self(), which all else needs as it is. But the class is right wherever the thread
// stays the requester's alone: a request made by a plain thread, within weft::offload, or by a
// fiber with attributes::own_thread may run functions that wait.

#include <atomic>
#include <exception>
#include <optional>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/event.hpp>
#include <weft/fiber.hpp>
#include <weft/this_fiber.hpp>

namespace WEFT_API weft {

/// Calls a function once a stop is requested on a token, in a fiber of its own: the function may
/// wait, lock and send. If the stop was requested before, the constructor calls the function
/// itself.
///
/// Destroying the object takes the function back. If the stop was requested before that, the
/// function is still called, and the destructor returns after its end, on whichever thread it runs;
/// called from within the function, the destructor returns at once. The stop request does not wait
/// for the function.
/// Blocks: the constructor and the destructor, the calling fiber or thread, while they wait for the
/// function. A stop request does not end that wait.
/// Orders: everything before the request, before the call; the call, before the return of the
/// destructor.
/// Throws: the constructor, what weft::spawn and moving the function throw. A function that throws
/// ends the process. If there is no memory for the fiber's stack, the destructor calls the
/// function.
/// Costs: a fiber that waits. If the function cannot wait, std::stop_callback costs nothing.
/// Example: test/unit/examples_waiting_test.cpp [stop_callback]
/// ```
///   weft::stop_callback farewell(weft::this_fiber::stop_token(),
///                                [&] { out.send("good-bye"); });  // send may wait
///   serve();
/// ```
template <class F>
class [[nodiscard]] stop_callback {
  static_assert(std::is_invocable_v<F> && std::is_destructible_v<F>,
                "weft::stop_callback: the function takes no arguments");

 public:
  /// The type of the function.
  using callback_type = F;

  /// Registers `function`, or calls it if the stop was requested before.
  template <class C>
    requires std::is_constructible_v<F, C>
  explicit stop_callback(std::stop_token stop, C&& function) {
    if (!stop.stop_possible()) return;
    if (stop.stop_requested()) {
      call(F(std::forward<C>(function)));
      return;
    }
    stop_ = std::move(stop);
    function_.emplace(std::forward<C>(function));
    waits_ = spawn([this]() noexcept {
      static_cast<void>(taken_back_.wait(stop_));
      if (!stop_.stop_requested() || is_taken_.exchange(true, std::memory_order_relaxed)) return;
      F f = std::move(*function_);  // it may destroy *this
      call(std::move(f));
    });
  }
  /// Takes the function back, or waits for its end.
  ~stop_callback() {
    if (!waits_.joinable()) return;
    taken_back_.set();
    if (waits_.get_id() == this_fiber::get_id()) {
      waits_.detach();
      return;
    }
    while (waits_.joinable()) try {
        waits_.join();
        return;
      } catch (const std::system_error& e) {
        if (e.code() == std::errc::no_such_process) break;  // its runtime has ended
        this_fiber::yield();  // a plain thread's first wait finds no memory
      } catch (const std::exception&) {
        this_fiber::yield();
      }
    // There was no stack to wait on, or nobody comes back.
    if (stop_.stop_requested() && !is_taken_.exchange(true, std::memory_order_relaxed))
      call(std::move(*function_));
  }
  stop_callback(const stop_callback&) = delete;
  stop_callback& operator=(const stop_callback&) = delete;

 private:
  static void call(F&& f) noexcept { std::forward<F>(f)(); }

  std::stop_token stop_;
  std::optional<F> function_;
  // By who calls it; relaxed: the other one does not look at it.
  std::atomic<bool> is_taken_{false};
  event taken_back_;
  fiber<void> waits_;
};

/// Deduces the function's type.
template <class F>
stop_callback(std::stop_token, F) -> stop_callback<F>;

}  // namespace WEFT_API weft
