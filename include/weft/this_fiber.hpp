// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/this_fiber.hpp - what a fiber says about itself. All of it works on plain threads too, where
// it means the thread, as std::this_thread does.

#include <chrono>
#include <stop_token>
#include <string_view>

#include <weft/fiber.hpp>

namespace weft {

enum class wait_result : std::uint8_t { ready, timeout, stopped };

}  // namespace weft

namespace weft::detail {
void yield() noexcept;
wait_result sleep_until(std::chrono::steady_clock::time_point deadline);
wait_result sleep_until(const std::stop_token& stop,
                        std::chrono::steady_clock::time_point deadline);
}  // namespace weft::detail

namespace weft::this_fiber {

/// Lets every other fiber that is ready now on this processor run first. Blocks: no.
inline void yield() noexcept { detail::yield(); }

/// Parks for at least that long. Ends early, with `stopped`, when this fiber is asked to stop.
/// Blocks: the fiber.  Resolution: the kernel's (about 50 us); lateness grows when processors are
///                     busy.
/// Example: test/unit/examples_fibers_test.cpp [this_fiber]
/// ```
///   auto beat = weft::spawn([&] {
///     while (weft::this_fiber::sleep_for(1ms) != weft::wait_result::stopped) ++rounds;
///   });
///   weft::this_fiber::sleep_for(10ms);
///   beat.request_stop();
///   beat.join();
/// ```
template <class Rep, class Period>
wait_result sleep_for(const std::chrono::duration<Rep, Period>& duration) {
  return detail::sleep_until(detail::deadline_after(duration));
}
template <class Clock, class Duration>
wait_result sleep_until(const std::chrono::time_point<Clock, Duration>& deadline) {
  wait_result end;
  do {
    end = detail::sleep_until(detail::to_steady(deadline));
  } while (end != wait_result::stopped && !detail::has_come(deadline));
  return end;
}
/// The same; a stop requested on `stop` ends it, too.
template <class Rep, class Period>
wait_result sleep_for(const std::stop_token& stop,
                      const std::chrono::duration<Rep, Period>& duration) {
  return detail::sleep_until(stop, detail::deadline_after(duration));
}
template <class Clock, class Duration>
wait_result sleep_until(const std::stop_token& stop,
                        const std::chrono::time_point<Clock, Duration>& deadline) {
  wait_result end;
  do {
    end = detail::sleep_until(stop, detail::to_steady(deadline));
  } while (end != wait_result::stopped && !detail::has_come(deadline));
  return end;
}

/// This fiber; on a plain thread, an id of that thread, of the same kind.
[[nodiscard]] fiber_id get_id() noexcept;
/// The name it was spawned with; empty if none. Valid while the fiber lives.
[[nodiscard]] std::string_view name() noexcept;
/// Is the caller a fiber?
[[nodiscard]] bool is_fiber() noexcept;
/// Requested by fiber<T>::request_stop, a failing scope, or the shutdown of the runtime. A request
/// ends the sleeps of this fiber, its waits at sockets, and passes through weft::scope to its
/// children. Other waits end early if they are given this token; each has a form that takes one.
[[nodiscard]] std::stop_token stop_token();
/// The same without making a token: one load.
[[nodiscard]] bool stop_requested() noexcept;

/// The nearest deadline of the scopes this fiber is a child of, then it is asked to stop;
/// time_point::max() if there is none. For calls that want to know how long they have.
[[nodiscard]] std::chrono::steady_clock::time_point deadline() noexcept;

}  // namespace weft::this_fiber
