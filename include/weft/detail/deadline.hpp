// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/deadline.hpp - all arithmetic on time: converts durations, and moments of any clock,
// to nanoseconds of the steady clock and back. It saturates and rounds up, so no wait ends early
// and no value wraps around.
//
//   wide_ns        128 bits hold every count of every integral rep in every period up to seconds,
//                  and far beyond. So the difference of two moments is exact, whatever unit and
//                  epoch the clock has.
//   deadline_after, to_steady     what a timed wait is made of
//
// A time that is not a number (NaN) is before all others: a wait until then has ended.
// time_point::max() of any clock is never, and so is a moment beyond the steady clock's range (292
// years).
// Rejected: floating point for the comparison (a double has 53 bits, and an unsigned difference
// below zero is a large number); std::chrono's common types (they overflow before the result can be
// checked).

#include <chrono>
#include <cstdint>
#include <limits>
#include <numeric>
#include <ratio>
#include <type_traits>

#include <weft/detail/export.hpp>

namespace weft {
namespace WEFT_API detail {

__extension__ typedef __int128 wide;

using steady_time = std::chrono::steady_clock::time_point;
static_assert(std::is_same_v<steady_time::duration::period, std::nano> &&
              sizeof(steady_time::rep) == 8);

/// In steady nanoseconds: a moment that never comes.
inline constexpr std::int64_t never_ns = std::numeric_limits<std::int64_t>::max();

/// Later than any moment; the difference of two such values still fits.
inline constexpr wide widest = wide{1} << 125;

[[nodiscard]] constexpr std::int64_t narrowed(wide n) noexcept {
  using limits = std::numeric_limits<std::int64_t>;
  return n > limits::max()   ? limits::max()
         : n < limits::min() ? limits::min()
                             : static_cast<std::int64_t>(n);
}
[[nodiscard]] constexpr std::int64_t saturated_sum(std::int64_t a, std::int64_t b) noexcept {
  return narrowed(wide{a} + b);
}

/// Rounds up; saturates at +-widest; -widest for NaN.
template <class Rep, class Period>
[[nodiscard]] constexpr wide wide_ns(const std::chrono::duration<Rep, Period>& d) noexcept {
  constexpr wide whole = wide{Period::num} * std::nano::den;
  constexpr auto common = std::gcd(Period::den, std::nano::den);
  constexpr wide den = Period::den / common, num = whole / common;
  if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
    const long double ns =
        static_cast<long double>(d.count()) * (static_cast<long double>(num) / den);
    constexpr auto most = static_cast<long double>(widest);
    if (!(ns > -most)) return -widest;  // and NaN
    if (ns >= most) return widest;
    const auto down = static_cast<wide>(ns);
    return down + (static_cast<long double>(down) < ns ? 1 : 0);
  } else {
    const Rep n = d.count();
    const auto count = static_cast<wide>(n);
    if (count < 0 && n > Rep{0}) return widest;  // an unsigned rep of 128 bits
    if (count > widest / num) return widest;
    if (count < -widest / num) return -widest;
    const wide product = count * num;
    if constexpr (den == 1)
      return product;
    else
      return product / den + (product % den > 0 ? 1 : 0);
  }
}
/// Rounds up; saturates.
template <class Rep, class Period>
[[nodiscard]] constexpr std::int64_t saturated_ns(
    const std::chrono::duration<Rep, Period>& d) noexcept {
  if constexpr (std::is_same_v<std::chrono::duration<Rep, Period>, std::chrono::nanoseconds>)
    return d.count();
  else
    return detail::narrowed(detail::wide_ns(d));
}

/// The value of a setting: at most a century, so that it can be added to a moment.
template <class Rep, class Period>
[[nodiscard]] constexpr std::int64_t span_ns(const std::chrono::duration<Rep, Period>& d) noexcept {
  constexpr std::int64_t century =
      std::chrono::nanoseconds(std::chrono::hours(24 * 365 * 100)).count();
  const std::int64_t ns = detail::saturated_ns(d);
  return ns < century ? ns : century;
}

// ---- steady moments as numbers, for all that compares and stores them
/// never_ns is the last moment. A moment before the system's start counts as the start.
[[nodiscard]] constexpr std::int64_t steady_ns(steady_time t) noexcept {
  const std::int64_t ns = t.time_since_epoch().count();
  return ns < 0 ? 0 : ns;
}
[[nodiscard]] constexpr steady_time steady_at(std::int64_t ns) noexcept {
  return steady_time(std::chrono::nanoseconds(ns));
}

// ---- clocks
/// What the standard requires of a clock, [time.clock.req].
template <class T>
inline constexpr bool is_clock = requires {
  typename T::rep;
  typename T::period;
  typename T::duration;
  typename T::time_point;
  static_cast<bool>(T::is_steady);
  T::now().time_since_epoch();
};
template <class T>
constexpr void require_clock() noexcept {
  static_assert(is_clock<T>,
                "weft: the time point is of a type that is no clock: it has no now(), so nobody "
                "can say how far away the "
                "moment is (of std::chrono::local_t, make a sys_time with a time zone)");
}

[[nodiscard]] inline steady_time steady_in(std::int64_t ns) noexcept {
  return steady_at(saturated_sum(std::chrono::steady_clock::now().time_since_epoch().count(), ns));
}

/// The moment after `d`; now, if `d` is not positive.
template <class Rep, class Period>
[[nodiscard]] steady_time deadline_after(const std::chrono::duration<Rep, Period>& d) noexcept {
  const std::int64_t ns = detail::saturated_ns(d);
  return steady_in(ns > 0 ? ns : 0);
}

/// The moment `t`, as far as it is known now: a clock other than the steady one may be set later.
template <class Clock, class Duration>
[[nodiscard]] steady_time to_steady(const std::chrono::time_point<Clock, Duration>& t) noexcept {
  require_clock<Clock>();
  if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) {
    return steady_at(detail::saturated_ns(t.time_since_epoch()));  // without a look at the clock
  } else if constexpr (is_clock<Clock>) {
    if (t == t.max()) return steady_time::max();
    const wide then = detail::wide_ns(t.time_since_epoch());
    if (then == widest) return steady_time::max();
    return steady_in(narrowed(then - detail::wide_ns(Clock::now().time_since_epoch())));
  } else {
    return {};
  }
}

/// True if `t` has come on its own clock. A wait until to_steady(t) can end before that, if the
/// clock was set back or runs slower. Waits that the standard has, too, last until `t` on its own
/// clock; weft's other waits convert once.
template <class Clock, class Duration>
[[nodiscard]] bool has_come(const std::chrono::time_point<Clock, Duration>& t) noexcept {
  if constexpr (std::is_same_v<Clock, std::chrono::steady_clock> || !is_clock<Clock>)
    return true;  // the wait was until then
  else
    return detail::wide_ns(Clock::now().time_since_epoch()) >=
           detail::wide_ns(t.time_since_epoch());
}
/// Calls wait(a steady time), which returns false if that time is over, until `t` has come on its
/// own clock.
template <class Clock, class Duration, class Wait>
bool wait_until_on_clock(const std::chrono::time_point<Clock, Duration>& t, Wait&& wait) {
  while (!wait(detail::to_steady(t)))
    if (detail::has_come(t)) return false;
  return true;
}

}  // namespace WEFT_API detail
}  // namespace weft
