// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/datagram.hpp - sockets whose messages stay whole: UDP and Unix datagrams.
//
// A message arrives as it was sent, or not at all. If it is larger than the buffer, the rest is
// dropped, and the result says so. Waits end as those of TCP do (weft/net/tcp.hpp), and each call
// has the forms of weft/net/message.hpp.

#include <chrono>
#include <cstddef>
#include <span>
#include <stop_token>
#include <system_error>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/buffer.hpp>
#include <weft/net/message.hpp>
#include <weft/net/socket.hpp>

namespace weft {
namespace WEFT_API net {

/// A message that was received.
template <class Endpoint>
struct datagram {
  /// Bytes in the buffer.
  std::size_t size = 0;
  /// Bytes of the message; more than `size` if the buffer was too small.
  std::size_t full_size = 0;
  /// The sender.
  Endpoint from;

  /// True if the buffer was too small.
  [[nodiscard]] bool truncated() const noexcept { return full_size > size; }
};

/// One place of a batch to be received.
template <class Endpoint>
struct incoming_datagram {
  /// The buffer for the message.
  mutable_buffer space;
  /// The message; set for those that were received.
  datagram<Endpoint> got;
};
/// One message of a batch to be sent.
template <class Endpoint>
struct outgoing_datagram {
  /// The message.
  const_buffer data;
  /// The receiver; the default is the connected peer.
  Endpoint to;
};

/// What UDP and Unix datagrams share. send and receive are those of message_forms.
template <class Endpoint>
class datagram_socket : public socket,
                        public message_forms<datagram_socket<Endpoint>, datagram<Endpoint>> {
 public:
  /// A message that was received.
  using received = datagram<Endpoint>;
  /// One place of a batch to be received.
  using incoming = incoming_datagram<Endpoint>;
  /// One message of a batch to be sent.
  using outgoing = outgoing_datagram<Endpoint>;

  /// Sets the peer: send() goes to it from now on, only its messages are received, and what the
  /// network answers for it (connection_refused) is an error of the next call.
  /// Throws: std::system_error.
  void connect(const Endpoint& peer);
  void connect(const Endpoint& peer, std::error_code& ec) noexcept;

  /// As send, to `to`.
  void send_to(const const_buffers& message, const Endpoint& to) { checked_send(message, to, {}); }
  void send_to(const const_buffers& message, const Endpoint& to, std::error_code& ec) noexcept {
    send_within(message, &to, {}, ec);
  }
  void send_to(const std::stop_token& stop, const const_buffers& message, const Endpoint& to) {
    checked_send(message, to, limit(stop));
  }
  void send_to(const std::stop_token& stop, const const_buffers& message, const Endpoint& to,
               std::error_code& ec) noexcept {
    send_within(message, &to, limit(stop), ec);
  }
  template <class Rep, class Period>
  void send_to_for(const const_buffers& message, const Endpoint& to,
                   const std::chrono::duration<Rep, Period>& time) {
    checked_send(message, to, limit(detail::deadline_after(time)));
  }
  template <class Rep, class Period>
  void send_to_for(const const_buffers& message, const Endpoint& to,
                   const std::chrono::duration<Rep, Period>& time, std::error_code& ec) noexcept {
    send_within(message, &to, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  void send_to_until(const const_buffers& message, const Endpoint& to,
                     const std::chrono::time_point<Clock, Duration>& t) {
    checked_send(message, to, limit(detail::to_steady(t)));
  }
  template <class Clock, class Duration>
  void send_to_until(const const_buffers& message, const Endpoint& to,
                     const std::chrono::time_point<Clock, Duration>& t,
                     std::error_code& ec) noexcept {
    send_within(message, &to, limit(detail::to_steady(t)), ec);
  }

  /// Receives as many messages as are there, at least one and at most as many as `batch` has room
  /// for, 32 in a system call (recvmmsg). Returns how many; each has its sender and size.
  /// Blocks, Throws: as receive.
  /// Example: test/unit/net_udp_test.cpp
  [[nodiscard]] std::size_t receive_batch(std::span<incoming> batch) {
    return checked_receive(batch, {});
  }
  [[nodiscard]] std::size_t receive_batch(std::span<incoming> batch, std::error_code& ec) noexcept {
    return receive_batch_within(batch, {}, ec);
  }
  [[nodiscard]] std::size_t receive_batch(const std::stop_token& stop, std::span<incoming> batch) {
    return checked_receive(batch, limit(stop));
  }
  [[nodiscard]] std::size_t receive_batch(const std::stop_token& stop, std::span<incoming> batch,
                                          std::error_code& ec) noexcept {
    return receive_batch_within(batch, limit(stop), ec);
  }
  template <class Rep, class Period>
  [[nodiscard]] std::size_t receive_batch_for(std::span<incoming> batch,
                                              const std::chrono::duration<Rep, Period>& time) {
    return checked_receive(batch, limit(detail::deadline_after(time)));
  }
  template <class Rep, class Period>
  [[nodiscard]] std::size_t receive_batch_for(std::span<incoming> batch,
                                              const std::chrono::duration<Rep, Period>& time,
                                              std::error_code& ec) noexcept {
    return receive_batch_within(batch, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::size_t receive_batch_until(std::span<incoming> batch,
                                                const std::chrono::time_point<Clock, Duration>& t) {
    return checked_receive(batch, limit(detail::to_steady(t)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::size_t receive_batch_until(std::span<incoming> batch,
                                                const std::chrono::time_point<Clock, Duration>& t,
                                                std::error_code& ec) noexcept {
    return receive_batch_within(batch, limit(detail::to_steady(t)), ec);
  }

  /// Sends all of them, 32 in a system call (sendmmsg). Returns how many were sent: all of them,
  /// unless `ec` is set. A time limits the whole call.
  /// Blocks, Throws: as send.
  std::size_t send_batch(std::span<const outgoing> batch) { return checked_send(batch, {}); }
  std::size_t send_batch(std::span<const outgoing> batch, std::error_code& ec) noexcept {
    return send_batch_within(batch, {}, ec);
  }
  std::size_t send_batch(const std::stop_token& stop, std::span<const outgoing> batch) {
    return checked_send(batch, limit(stop));
  }
  std::size_t send_batch(const std::stop_token& stop, std::span<const outgoing> batch,
                         std::error_code& ec) noexcept {
    return send_batch_within(batch, limit(stop), ec);
  }
  template <class Rep, class Period>
  std::size_t send_batch_for(std::span<const outgoing> batch,
                             const std::chrono::duration<Rep, Period>& time) {
    return checked_send(batch, limit(detail::deadline_after(time)));
  }
  template <class Rep, class Period>
  std::size_t send_batch_for(std::span<const outgoing> batch,
                             const std::chrono::duration<Rep, Period>& time,
                             std::error_code& ec) noexcept {
    return send_batch_within(batch, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  std::size_t send_batch_until(std::span<const outgoing> batch,
                               const std::chrono::time_point<Clock, Duration>& t) {
    return checked_send(batch, limit(detail::to_steady(t)));
  }
  template <class Clock, class Duration>
  std::size_t send_batch_until(std::span<const outgoing> batch,
                               const std::chrono::time_point<Clock, Duration>& t,
                               std::error_code& ec) noexcept {
    return send_batch_within(batch, limit(detail::to_steady(t)), ec);
  }

  /// The address of this end.
  /// Throws: std::system_error.
  [[nodiscard]] Endpoint local_endpoint() const;
  /// The connected peer.
  /// Throws: std::system_error with not_connected.
  [[nodiscard]] Endpoint remote_endpoint() const;

 protected:
  using socket::socket;
  datagram_socket() noexcept = default;

 private:
  using limit = detail::wait_limit;
  friend class message_forms<datagram_socket, received>;
  void send_within(const const_buffers& message, const limit& l, std::error_code& ec) noexcept {
    send_within(message, nullptr, l, ec);
  }
  void send_within(const const_buffers& message, const Endpoint* to, const limit& l,
                   std::error_code& ec) noexcept;
  [[nodiscard]] received receive_within(const mutable_buffers& to, const limit& l,
                                        std::error_code& ec) noexcept;
  [[nodiscard]] std::size_t receive_batch_within(std::span<incoming> batch, const limit& l,
                                                 std::error_code& ec) noexcept;
  std::size_t send_batch_within(std::span<const outgoing> batch, const limit& l,
                                std::error_code& ec) noexcept;
  void checked_send(const const_buffers& message, const Endpoint& to, const limit& l);
  std::size_t checked_send(std::span<const outgoing> batch, const limit& l);
  [[nodiscard]] std::size_t checked_receive(std::span<incoming> batch, const limit& l);
};

}  // namespace WEFT_API net
}  // namespace weft
