// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/message.hpp - the forms of a call on a socket whose messages stay whole.
//
//   s.send(message)                     s.send(message, ec)
//   s.send_for(message, 5s)             s.send_for(message, 5s, ec)
//   s.send_until(message, moment)       s.send_until(message, moment, ec)
//   s.send(stop_token, message)         s.send(stop_token, message, ec)
//
// receive has the same forms. A limit only ends waits: a call that can proceed does so. The
// socket's own deadlines and a stop request on the calling fiber end waits, too.
// Errors: timed_out, operation_canceled, and the socket's own.

#include <chrono>
#include <stop_token>
#include <system_error>
#include <type_traits>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/buffer.hpp>
#include <weft/net/socket.hpp>

namespace weft {
namespace WEFT_API net {

/// The forms of sending and receiving, for the class `Self`, which receives a `Received`. It has,
/// privately if this class is its friend:
///
/// - `void send_within(const const_buffers&, const wait_limit&, std::error_code&) noexcept`
/// - `Received receive_within(const mutable_buffers&, const wait_limit&,
///   std::error_code&) noexcept`
/// - `[[noreturn]] void fail(const char* what, std::error_code) const`
template <class Self, class Received>
class message_forms {
 public:
  /// A message that was received.
  using received = Received;

  /// Sends one message, of all the buffers (up to 64), to the connected peer.
  /// Blocks: the fiber, while the kernel has no room; on a plain thread, that thread.
  /// Throws: std::system_error: message_size, not_connected (or destination_address_required),
  /// connection_refused, ...
  /// Example: test/unit/net_udp_test.cpp
  void send(const const_buffers& message) {
    sending([&](std::error_code& ec) { send(message, ec); });
  }
  void send(const const_buffers& message, std::error_code& ec) noexcept {
    self().send_within(message, {}, ec);
  }
  void send(const std::stop_token& stop, const const_buffers& message) {
    sending([&](std::error_code& ec) { send(stop, message, ec); });
  }
  void send(const std::stop_token& stop, const const_buffers& message,
            std::error_code& ec) noexcept {
    self().send_within(message, limit(stop), ec);
  }
  template <class Rep, class Period>
  void send_for(const const_buffers& message, const std::chrono::duration<Rep, Period>& time) {
    sending([&](std::error_code& ec) { send_for(message, time, ec); });
  }
  template <class Rep, class Period>
  void send_for(const const_buffers& message, const std::chrono::duration<Rep, Period>& time,
                std::error_code& ec) noexcept {
    self().send_within(message, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  void send_until(const const_buffers& message, const std::chrono::time_point<Clock, Duration>& t) {
    sending([&](std::error_code& ec) { send_until(message, t, ec); });
  }
  template <class Clock, class Duration>
  void send_until(const const_buffers& message, const std::chrono::time_point<Clock, Duration>& t,
                  std::error_code& ec) noexcept {
    self().send_within(message, limit(detail::to_steady(t)), ec);
  }

  /// Receives the next message, into up to 64 buffers. If it is larger than they are, the rest of
  /// it is dropped, and truncated() of the result is true.
  /// Blocks: the fiber, until one comes; on a plain thread, that thread.
  /// Throws: std::system_error: timed_out, operation_canceled, connection_refused, ...
  /// Example: test/unit/net_udp_test.cpp
  [[nodiscard]] received receive(const mutable_buffers& to) {
    return receiving([&](std::error_code& ec) { return receive(to, ec); });
  }
  [[nodiscard]] received receive(const mutable_buffers& to, std::error_code& ec) noexcept {
    return self().receive_within(to, {}, ec);
  }
  [[nodiscard]] received receive(const std::stop_token& stop, const mutable_buffers& to) {
    return receiving([&](std::error_code& ec) { return receive(stop, to, ec); });
  }
  [[nodiscard]] received receive(const std::stop_token& stop, const mutable_buffers& to,
                                 std::error_code& ec) noexcept {
    return self().receive_within(to, limit(stop), ec);
  }
  template <class Rep, class Period>
  [[nodiscard]] received receive_for(const mutable_buffers& to,
                                     const std::chrono::duration<Rep, Period>& time) {
    return receiving([&](std::error_code& ec) { return receive_for(to, time, ec); });
  }
  template <class Rep, class Period>
  [[nodiscard]] received receive_for(const mutable_buffers& to,
                                     const std::chrono::duration<Rep, Period>& time,
                                     std::error_code& ec) noexcept {
    return self().receive_within(to, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  [[nodiscard]] received receive_until(const mutable_buffers& to,
                                       const std::chrono::time_point<Clock, Duration>& t) {
    return receiving([&](std::error_code& ec) { return receive_until(to, t, ec); });
  }
  template <class Clock, class Duration>
  [[nodiscard]] received receive_until(const mutable_buffers& to,
                                       const std::chrono::time_point<Clock, Duration>& t,
                                       std::error_code& ec) noexcept {
    return self().receive_within(to, limit(detail::to_steady(t)), ec);
  }

  /// Sets when waits for receiving end with timed_out, as stream_socket::set_read_deadline.
  void set_read_deadline(socket::time_point deadline) noexcept {
    self().set_deadlines(true, false, deadline);
  }
  /// The same for sending.
  void set_write_deadline(socket::time_point deadline) noexcept {
    self().set_deadlines(false, true, deadline);
  }
  /// The same for receiving and sending.
  void set_deadline(socket::time_point deadline) noexcept {
    self().set_deadlines(true, true, deadline);
  }

 protected:
  /// Only for derived classes.
  message_forms() = default;
  /// Only for derived classes.
  ~message_forms() = default;
  /// Only for derived classes.
  message_forms(const message_forms&) = default;
  /// Only for derived classes.
  message_forms& operator=(const message_forms&) = default;

 private:
  using limit = detail::wait_limit;
  Self& self() noexcept { return static_cast<Self&>(*this); }

  template <class Call>
  void sending(Call&& call) {
    std::error_code ec;
    call(ec);
    if (ec) [[unlikely]]
      self().fail("send a message to the peer", ec);
  }
  template <class Call>
  received receiving(Call&& call) {
    std::error_code ec;
    received got = call(ec);
    if (ec) [[unlikely]]
      self().fail("receive a message", ec);
    return got;
  }
};

}  // namespace WEFT_API net
}  // namespace weft
