// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/resolve.hpp - names: the addresses of a host.
//
//   for (const weft::net::endpoint& at : weft::net::resolve("example.org", 443)) ...
// To connect to a name, see weft/net/connect.hpp.
//
// Threads of weft's own call the system's resolver (getaddrinfo: hosts file, DNS, as nsswitch.conf
// says). They are made when needed, 16 at most, and end when idle. If a name is being looked up
// already, that lookup is shared. A deadline or a stop request ends the wait, not the
// lookup: its thread goes on until the system's resolver gives up (/etc/resolv.conf, options
// timeout and attempts). So that a slow name server does not stop all lookups, one domain (the last
// two labels of the name) has at most 4 threads and 256 of the 1024 places in the line; beyond that
// the answer is resolver_busy, at once.
//
// Nothing is cached: each call looks up anew. Use the system's cache (nscd, systemd-resolved) or
// one of the application's, which know how long an answer is valid.

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/endpoint.hpp>
#include <weft/net/error.hpp>

namespace weft {
namespace WEFT_API net {

/// The kinds of addresses to look for.
enum class address_family : std::uint8_t { any, v4, v6 };

/// A port, or the name of a service: converts from 443, "443" and "https".
class service {
 public:
  /// A port.
  /// Throws: std::system_error with invalid_argument if the number is no port.
  service(std::uint16_t port) : text_(std::to_string(port)) {}
  template <detail::wide_integer T>
  service(T port) : service(detail::port_of(port)) {}
  /// The name of a service, or a port in digits.
  service(std::string_view name) : text_(name) {}
  service(const char* name) : text_(name) {}
  service(const std::string& name) : text_(name) {}
  /// The text it was made of.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace WEFT_API net
}  // namespace weft

namespace weft {
namespace WEFT_API detail {
[[nodiscard]] std::vector<net::endpoint> resolve_within(std::string_view host,
                                                        const net::service& s,
                                                        net::address_family family,
                                                        const wait_limit& l, std::error_code& ec);
[[nodiscard]] std::vector<net::endpoint> resolve_or_throw(std::string_view host,
                                                          const net::service& s,
                                                          net::address_family family,
                                                          const wait_limit& l);
}  // namespace WEFT_API detail
}  // namespace weft

namespace weft {
namespace WEFT_API net {

/// Looks `host` up and returns its endpoints, best first (RFC 6724, gai.conf), at least one.
/// Numeric addresses need no lookup and no thread.
/// Blocks: the fiber, until there is an answer; on a plain thread, that thread.
/// Throws: std::system_error: net_errc::host_not_found, host_not_found_yet, name_server_failure,
/// service_not_found, resolver_busy; operation_canceled if a stop is requested on this fiber;
/// timed_out.
/// The forms with an error code throw std::bad_alloc only.
/// Example: test/unit/net_resolve_test.cpp
[[nodiscard]] inline std::vector<endpoint> resolve(std::string_view host, const service& s,
                                                   address_family family = address_family::any) {
  return detail::resolve_or_throw(host, s, family, {});
}
[[nodiscard]] inline std::vector<endpoint> resolve(std::string_view host, const service& s,
                                                   std::error_code& ec,
                                                   address_family family = address_family::any) {
  return detail::resolve_within(host, s, family, {}, ec);
}
/// The same, with a limit: until a stop is requested on `stop`, for a time, or until a moment.
[[nodiscard]] inline std::vector<endpoint> resolve(const std::stop_token& stop,
                                                   std::string_view host, const service& s,
                                                   address_family family = address_family::any) {
  return detail::resolve_or_throw(host, s, family, detail::wait_limit(stop));
}
[[nodiscard]] inline std::vector<endpoint> resolve(const std::stop_token& stop,
                                                   std::string_view host, const service& s,
                                                   std::error_code& ec,
                                                   address_family family = address_family::any) {
  return detail::resolve_within(host, s, family, detail::wait_limit(stop), ec);
}
template <class Rep, class Period>
[[nodiscard]] std::vector<endpoint> resolve_for(std::string_view host, const service& s,
                                                const std::chrono::duration<Rep, Period>& time,
                                                address_family family = address_family::any) {
  return detail::resolve_or_throw(host, s, family,
                                  detail::wait_limit(detail::deadline_after(time)));
}
template <class Rep, class Period>
[[nodiscard]] std::vector<endpoint> resolve_for(std::string_view host, const service& s,
                                                const std::chrono::duration<Rep, Period>& time,
                                                std::error_code& ec,
                                                address_family family = address_family::any) {
  return detail::resolve_within(host, s, family, detail::wait_limit(detail::deadline_after(time)),
                                ec);
}
template <class Clock, class Duration>
[[nodiscard]] std::vector<endpoint> resolve_until(std::string_view host, const service& s,
                                                  const std::chrono::time_point<Clock, Duration>& t,
                                                  address_family family = address_family::any) {
  return detail::resolve_or_throw(host, s, family, detail::wait_limit(detail::to_steady(t)));
}
template <class Clock, class Duration>
[[nodiscard]] std::vector<endpoint> resolve_until(std::string_view host, const service& s,
                                                  const std::chrono::time_point<Clock, Duration>& t,
                                                  std::error_code& ec,
                                                  address_family family = address_family::any) {
  return detail::resolve_within(host, s, family, detail::wait_limit(detail::to_steady(t)), ec);
}

}  // namespace WEFT_API net
}  // namespace weft
