// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/connect.hpp - a TCP connection to a name: RFC 8305, "happy eyeballs".
//
//   weft::net::tcp_stream s = weft::net::connect("example.org", 443);
//
// The addresses of the host are tried in the resolver's order, IPv6 and IPv4 in turn. If one fails,
// the next is tried at once; if it does not answer within 250 ms, the next is tried beside it. The
// first connection wins, and the other attempts are given up. So a host with a broken IPv6 route
// costs a quarter of a second, not a minute.

#include <chrono>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string_view>
#include <system_error>
#include <vector>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/endpoint.hpp>
#include <weft/net/resolve.hpp>
#include <weft/net/tcp.hpp>

namespace weft {
namespace WEFT_API net {

/// The settings of the race between the addresses of a host.
struct connect_options {
  /// The time that an attempt has before the next begins beside it. RFC 8305 allows 100 ms to 2 s.
  std::chrono::milliseconds attempt_delay{250};
};

}  // namespace WEFT_API net
}  // namespace weft

namespace weft {
namespace WEFT_API detail {
[[nodiscard]] net::tcp_stream connect_within(std::string_view host, const net::service& s,
                                             const wait_limit& l, std::error_code& ec) noexcept;
[[nodiscard]] net::tcp_stream connect_or_throw(std::string_view host, const net::service& s,
                                               const wait_limit& l);
[[nodiscard]] net::tcp_stream connect_to_any(std::span<const net::endpoint> addresses,
                                             const wait_limit& l,
                                             const net::connect_options& options,
                                             std::error_code& ec) noexcept;
}  // namespace WEFT_API detail
}  // namespace weft

namespace weft {
namespace WEFT_API net {

/// Looks `host` up and connects to the first of its addresses that answers.
/// Blocks: the fiber, until one has answered; on a plain thread, that thread.
/// A deadline covers both.
/// Throws: std::system_error: as resolve(); if no address answers, what the first one failed with;
/// operation_canceled if a stop is requested on this fiber; timed_out at the deadline.
/// Example: test/unit/net_connect_test.cpp
[[nodiscard]] inline tcp_stream connect(std::string_view host, const service& s) {
  return detail::connect_or_throw(host, s, {});
}
[[nodiscard]] inline tcp_stream connect(std::string_view host, const service& s,
                                        std::error_code& ec) noexcept {
  return detail::connect_within(host, s, {}, ec);
}
[[nodiscard]] inline tcp_stream connect(const std::stop_token& stop, std::string_view host,
                                        const service& s) {
  return detail::connect_or_throw(host, s, detail::wait_limit(stop));
}
[[nodiscard]] inline tcp_stream connect(const std::stop_token& stop, std::string_view host,
                                        const service& s, std::error_code& ec) noexcept {
  return detail::connect_within(host, s, detail::wait_limit(stop), ec);
}
template <class Rep, class Period>
[[nodiscard]] tcp_stream connect_for(std::string_view host, const service& s,
                                     const std::chrono::duration<Rep, Period>& time) {
  return detail::connect_or_throw(host, s, detail::wait_limit(detail::deadline_after(time)));
}
template <class Rep, class Period>
[[nodiscard]] tcp_stream connect_for(std::string_view host, const service& s,
                                     const std::chrono::duration<Rep, Period>& time,
                                     std::error_code& ec) noexcept {
  return detail::connect_within(host, s, detail::wait_limit(detail::deadline_after(time)), ec);
}
template <class Clock, class Duration>
[[nodiscard]] tcp_stream connect_until(std::string_view host, const service& s,
                                       const std::chrono::time_point<Clock, Duration>& t) {
  return detail::connect_or_throw(host, s, detail::wait_limit(detail::to_steady(t)));
}
template <class Clock, class Duration>
[[nodiscard]] tcp_stream connect_until(std::string_view host, const service& s,
                                       const std::chrono::time_point<Clock, Duration>& t,
                                       std::error_code& ec) noexcept {
  return detail::connect_within(host, s, detail::wait_limit(detail::to_steady(t)), ec);
}

/// Connects to one of several known addresses, which are tried in this order.
[[nodiscard]] inline tcp_stream connect_to_any(
    std::span<const endpoint> addresses, std::error_code& ec,
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max(),
    const connect_options& options = {}) noexcept {
  return detail::connect_to_any(addresses, detail::wait_limit(deadline), options, ec);
}
/// The same, until a stop is requested on `stop`.
[[nodiscard]] inline tcp_stream connect_to_any(const std::stop_token& stop,
                                               std::span<const endpoint> addresses,
                                               std::error_code& ec,
                                               const connect_options& options = {}) noexcept {
  return detail::connect_to_any(addresses, detail::wait_limit(stop), options, ec);
}

}  // namespace WEFT_API net
}  // namespace weft
