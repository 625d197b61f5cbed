// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/connect_forms.hpp - the forms of connecting to one address.
//
//   T::connect(peer)                     T::connect(peer, ec)
//   T::connect(peer, moment)             T::connect(peer, moment, ec)
//   T::connect_for(peer, 5s)             T::connect_for(peer, 5s, ec)
//   T::connect_until(peer, moment)       T::connect_until(peer, moment, ec)
//   T::connect(stop_token, peer)         T::connect(stop_token, peer, ec)
//
// A limit applies to connecting only. A stop request on the calling fiber ends the wait, too.
// Errors: timed_out, operation_canceled, and the socket's own.

#include <chrono>
#include <stop_token>
#include <string>
#include <system_error>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/socket.hpp>

namespace weft {
namespace WEFT_API detail {
[[noreturn]] void fail_to_connect(const std::string& peer, std::error_code why);
}  // namespace WEFT_API detail
}  // namespace weft

namespace weft {
namespace WEFT_API net {

/// The forms of connecting, for the class `Self`. It has, privately if this class is its friend:
///
/// - `static Self connect_within(const Endpoint&, const wait_limit&, std::error_code&) noexcept`
template <class Self, class Endpoint>
class connect_forms {
 public:
  /// Connects to `peer`. The class says which errors there are.
  /// Blocks: the fiber, until the peer has answered; on a plain thread, that thread.
  /// Throws: std::system_error: connection_refused, timed_out, operation_canceled, ...;
  /// too_many_files_open, with the limit to raise.
  /// Example: test/unit/net_tcp_test.cpp
  [[nodiscard]] static Self connect(const Endpoint& peer,
                                    socket::time_point deadline = socket::no_deadline) {
    return connect_or_throw(peer, limit(deadline));
  }
  [[nodiscard]] static Self connect(const Endpoint& peer, socket::time_point deadline,
                                    std::error_code& ec) noexcept {
    return Self::connect_within(peer, limit(deadline), ec);
  }
  [[nodiscard]] static Self connect(const Endpoint& peer, std::error_code& ec) noexcept {
    return Self::connect_within(peer, {}, ec);
  }
  [[nodiscard]] static Self connect(const std::stop_token& stop, const Endpoint& peer,
                                    socket::time_point deadline = socket::no_deadline) {
    return connect_or_throw(peer, limit(stop, deadline));
  }
  [[nodiscard]] static Self connect(const std::stop_token& stop, const Endpoint& peer,
                                    std::error_code& ec) noexcept {
    return Self::connect_within(peer, limit(stop), ec);
  }
  template <class Rep, class Period>
  [[nodiscard]] static Self connect_for(const Endpoint& peer,
                                        const std::chrono::duration<Rep, Period>& time) {
    return connect_or_throw(peer, limit(detail::deadline_after(time)));
  }
  template <class Rep, class Period>
  [[nodiscard]] static Self connect_for(const Endpoint& peer,
                                        const std::chrono::duration<Rep, Period>& time,
                                        std::error_code& ec) noexcept {
    return Self::connect_within(peer, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  [[nodiscard]] static Self connect_until(const Endpoint& peer,
                                          const std::chrono::time_point<Clock, Duration>& t) {
    return connect_or_throw(peer, limit(detail::to_steady(t)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] static Self connect_until(const Endpoint& peer,
                                          const std::chrono::time_point<Clock, Duration>& t,
                                          std::error_code& ec) noexcept {
    return Self::connect_within(peer, limit(detail::to_steady(t)), ec);
  }

 protected:
  /// Only for derived classes.
  connect_forms() = default;
  /// Only for derived classes.
  ~connect_forms() = default;
  /// Only for derived classes.
  connect_forms(const connect_forms&) = default;
  /// Only for derived classes.
  connect_forms& operator=(const connect_forms&) = default;

 private:
  using limit = detail::wait_limit;
  [[nodiscard]] static Self connect_or_throw(const Endpoint& peer, const limit& l) {
    std::error_code ec;
    Self s = Self::connect_within(peer, l, ec);
    if (ec) [[unlikely]]
      detail::fail_to_connect(peer.to_string(), ec);
    return s;
  }
};

}  // namespace WEFT_API net
}  // namespace weft
