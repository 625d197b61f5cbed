// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/this_fiber.hpp - what a fiber says about itself. Everything here also works on plain threads
// and then means the thread, as std::this_thread does.

#include <chrono>
#include <stop_token>
#include <string_view>

#include <weft/detail/export.hpp>
#include <weft/fiber.hpp>

namespace WEFT_API weft {

/// How a sleep ended: `timeout` at its time, `stopped` by a stop request. No sleep ends with
/// `ready`.
enum class wait_result : std::uint8_t { ready, timeout, stopped };

}  // namespace WEFT_API weft

namespace weft {
namespace WEFT_API detail {
void yield() noexcept;
wait_result sleep_until(std::chrono::steady_clock::time_point deadline);
wait_result sleep_until(const std::stop_token& stop,
                        std::chrono::steady_clock::time_point deadline);
}  // namespace WEFT_API detail
}  // namespace weft

namespace weft {
namespace WEFT_API this_fiber {

/// Lets every other fiber that is ready now on this processor run first.
/// Blocks: never.
inline void yield() noexcept { detail::yield(); }

/// Parks the calling fiber for at least `duration`.
///
/// Returns `timeout` after that time, or `stopped` as soon as a stop is requested on this fiber.
/// Blocks: the calling fiber or thread.
/// Resolution: the kernel's, about 50 us; if processors are busy it comes later.
/// Example: test/unit/examples_fibers_test.cpp [this_fiber]
/// ```
///   auto beat = weft::spawn([&] {
///     while (weft::this_fiber::sleep_for(1ms) != weft::wait_result::stopped) ++rounds;
///   });
///   while (rounds < 3) weft::this_fiber::sleep_for(1ms);
///   beat.request_stop();
///   beat.join();
/// ```
template <class Rep, class Period>
wait_result sleep_for(const std::chrono::duration<Rep, Period>& duration) {
  return detail::sleep_until(detail::deadline_after(duration));
}
/// The same, until `deadline` has come on its own clock.
template <class Clock, class Duration>
wait_result sleep_until(const std::chrono::time_point<Clock, Duration>& deadline) {
  wait_result end;
  do {
    end = detail::sleep_until(detail::to_steady(deadline));
  } while (end != wait_result::stopped && !detail::has_come(deadline));
  return end;
}
/// The same; a stop requested on `stop` ends it as well.
template <class Rep, class Period>
wait_result sleep_for(const std::stop_token& stop,
                      const std::chrono::duration<Rep, Period>& duration) {
  return detail::sleep_until(stop, detail::deadline_after(duration));
}
/// The same; a stop requested on `stop` ends it as well.
template <class Clock, class Duration>
wait_result sleep_until(const std::stop_token& stop,
                        const std::chrono::time_point<Clock, Duration>& deadline) {
  wait_result end;
  do {
    end = detail::sleep_until(stop, detail::to_steady(deadline));
  } while (end != wait_result::stopped && !detail::has_come(deadline));
  return end;
}

/// The id of the calling fiber; on a plain thread an id that stands for that thread.
[[nodiscard]] fiber_id get_id() noexcept;
/// The name the fiber was spawned with; empty if none.
/// Lifetime: valid while the fiber lives.
[[nodiscard]] std::string_view name() noexcept;
/// True if the caller is a fiber.
[[nodiscard]] bool is_fiber() noexcept;

/// The token of the calling fiber. A stop is requested on it by fiber<T>::request_stop, by a scope
/// that fails or is stopped, and by the shutdown of the runtime.
///
/// A request ends the sleeps of this fiber and its waits for the system (sockets, pipes,
/// descriptors, names, signals, child processes), and passes through weft::scope to its children.
/// Other waits end early only if they are given this token; all but call_once and scope::join have
/// a form that takes one.
[[nodiscard]] std::stop_token stop_token();
/// True if a stop is requested on the calling fiber. Makes no token: it costs one load.
[[nodiscard]] bool stop_requested() noexcept;

/// The earliest deadline of the scopes this fiber is a child of, at which its stop is requested;
/// time_point::max() if there is none. For calls that want to know how much time they have.
[[nodiscard]] std::chrono::steady_clock::time_point deadline() noexcept;

}  // namespace WEFT_API this_fiber
}  // namespace weft
