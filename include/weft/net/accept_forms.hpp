// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/accept_forms.hpp - the forms of accepting a connection.
//
//   l.accept()                           l.accept(ec)
//   l.accept_for(5s)                     l.accept_for(5s, ec)
//   l.accept_until(moment)               l.accept_until(moment, ec)
//   l.accept(stop_token)                 l.accept(stop_token, ec)
//
// Each takes a pointer to an endpoint at its end, which is set to the connection's other end.

#include <chrono>
#include <stop_token>
#include <system_error>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/socket.hpp>

namespace weft {
namespace WEFT_API net {

/// The forms of accepting a `Connection`, for the class `Self`, which is a socket. It has,
/// privately if this class is its friend:
///
/// - `Connection accept_within(const wait_limit&, std::error_code&, Endpoint* peer) noexcept`
template <class Self, class Connection, class Endpoint>
class accept_forms {
 public:
  /// Accepts the next connection and sets `*peer` to its other end. Several fibers may accept at
  /// the same time. Connections that failed in the backlog are skipped.
  ///
  /// Without a descriptor or memory for it (too_many_files_open and the like) the connection waits
  /// in the backlog, and this call with it: for the next descriptor that weft closes, and at most
  /// for 1 ms, 2 ms, and so on to 100 ms, before it tries again. A line on stderr, one a minute at
  /// most, says how often that was, and which limit to raise.
  /// Blocks: the fiber, until one comes; on a plain thread, that thread.
  /// Throws: std::system_error: operation_canceled after close(), timed_out, ...
  /// Example: test/unit/net_tcp_test.cpp
  [[nodiscard]] Connection accept(Endpoint* peer = nullptr) { return accept_or_throw({}, peer); }
  [[nodiscard]] Connection accept(std::error_code& ec, Endpoint* peer = nullptr) noexcept {
    return self().accept_within({}, ec, peer);
  }
  [[nodiscard]] Connection accept(const std::stop_token& stop, Endpoint* peer = nullptr) {
    return accept_or_throw(limit(stop), peer);
  }
  [[nodiscard]] Connection accept(const std::stop_token& stop, std::error_code& ec,
                                  Endpoint* peer = nullptr) noexcept {
    return self().accept_within(limit(stop), ec, peer);
  }
  template <class Rep, class Period>
  [[nodiscard]] Connection accept_for(const std::chrono::duration<Rep, Period>& time,
                                      Endpoint* peer = nullptr) {
    return accept_or_throw(limit(detail::deadline_after(time)), peer);
  }
  template <class Rep, class Period>
  [[nodiscard]] Connection accept_for(const std::chrono::duration<Rep, Period>& time,
                                      std::error_code& ec, Endpoint* peer = nullptr) noexcept {
    return self().accept_within(limit(detail::deadline_after(time)), ec, peer);
  }
  template <class Clock, class Duration>
  [[nodiscard]] Connection accept_until(const std::chrono::time_point<Clock, Duration>& t,
                                        Endpoint* peer = nullptr) {
    return accept_or_throw(limit(detail::to_steady(t)), peer);
  }
  template <class Clock, class Duration>
  [[nodiscard]] Connection accept_until(const std::chrono::time_point<Clock, Duration>& t,
                                        std::error_code& ec, Endpoint* peer = nullptr) noexcept {
    return self().accept_within(limit(detail::to_steady(t)), ec, peer);
  }
  /// Sets when waits in accept end with timed_out, as stream_socket::set_deadline.
  void set_deadline(socket::time_point deadline) noexcept {
    self().set_deadlines(true, false, deadline);
  }

 protected:
  /// Only for derived classes.
  accept_forms() = default;
  /// Only for derived classes.
  ~accept_forms() = default;
  /// Only for derived classes.
  accept_forms(const accept_forms&) = default;
  /// Only for derived classes.
  accept_forms& operator=(const accept_forms&) = default;

 private:
  using limit = detail::wait_limit;
  Self& self() noexcept { return static_cast<Self&>(*this); }
  [[nodiscard]] Connection accept_or_throw(const limit& l, Endpoint* peer) {
    std::error_code ec;
    Connection s = self().accept_within(l, ec, peer);
    if (ec) [[unlikely]]
      self().fail("accept", ec);
    return s;
  }
};

}  // namespace WEFT_API net
}  // namespace weft
