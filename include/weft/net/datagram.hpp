// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/datagram.hpp - sockets whose messages stay whole: UDP and Unix datagrams.
//
// A message arrives as it was sent, or not at all. If it is larger than the buffer, the rest is
// dropped, and the result says so. Waits end as those of streams do, see weft/net/tcp.hpp.

#include <chrono>
#include <cstddef>
#include <span>
#include <stop_token>
#include <system_error>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/buffer.hpp>
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

  /// Whether the buffer was too small.
  [[nodiscard]] bool truncated() const noexcept { return full_size > size; }
};

/// One place of a batch to be received.
template <class Endpoint>
struct incoming_datagram {
  /// Where the message goes.
  mutable_buffer space;
  /// What came; set for those that were received.
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

/// What UDP and Unix datagrams share.
template <class Endpoint>
class datagram_socket : public socket {
 public:
  /// A message that was received.
  using received = datagram<Endpoint>;
  /// One place of a batch to be received.
  using incoming = incoming_datagram<Endpoint>;
  /// One message of a batch to be sent.
  using outgoing = outgoing_datagram<Endpoint>;

  /// From here on send() goes to `peer`, only its messages are received, and what the network
  /// answers of it (connection_refused) is an error of the next call. Throws: std::system_error.
  void connect(const Endpoint& peer);
  void connect(const Endpoint& peer, std::error_code& ec) noexcept;

  /// Sends one message, of all the buffers (up to 64), to the connected peer or to `to`.
  /// Blocks: the fiber, while the kernel has no room.   Throws: std::system_error: message_size,
  /// not_connected (or destination_address_required), connection_refused, ...
  /// Example: test/unit/net_udp_test.cpp
  void send(const const_buffers& message) { checked_send(message, nullptr); }
  void send(const const_buffers& message, std::error_code& ec) noexcept {
    send_within(message, nullptr, {}, ec);
  }
  /// As send, to `to`.
  void send_to(const const_buffers& message, const Endpoint& to) { checked_send(message, &to); }
  void send_to(const const_buffers& message, const Endpoint& to, std::error_code& ec) noexcept {
    send_within(message, &to, {}, ec);
  }

  /// Receives the next message. An empty message is one.
  /// Blocks: the fiber, until one comes; on a plain thread, that thread.
  /// Throws: std::system_error: timed_out, operation_canceled, connection_refused, ...
  /// Example: test/unit/net_udp_test.cpp
  [[nodiscard]] received receive(const mutable_buffers& to) { return checked_receive(to, {}); }
  [[nodiscard]] received receive(const mutable_buffers& to, std::error_code& ec) noexcept {
    return receive_within(to, {}, ec);
  }
  [[nodiscard]] received receive(const std::stop_token& stop, const mutable_buffers& to) {
    return checked_receive(to, limit(stop));
  }
  [[nodiscard]] received receive(const std::stop_token& stop, const mutable_buffers& to,
                                 std::error_code& ec) noexcept {
    return receive_within(to, limit(stop), ec);
  }
  template <class Rep, class Period>
  [[nodiscard]] received receive_for(const mutable_buffers& to,
                                     const std::chrono::duration<Rep, Period>& time) {
    return checked_receive(to, limit(detail::deadline_after(time)));
  }
  template <class Rep, class Period>
  [[nodiscard]] received receive_for(const mutable_buffers& to,
                                     const std::chrono::duration<Rep, Period>& time,
                                     std::error_code& ec) noexcept {
    return receive_within(to, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  [[nodiscard]] received receive_until(const mutable_buffers& to,
                                       const std::chrono::time_point<Clock, Duration>& t) {
    return checked_receive(to, limit(detail::to_steady(t)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] received receive_until(const mutable_buffers& to,
                                       const std::chrono::time_point<Clock, Duration>& t,
                                       std::error_code& ec) noexcept {
    return receive_within(to, limit(detail::to_steady(t)), ec);
  }

  /// Receives as many messages as are there, at least one and at most as many as `batch` has room
  /// for: 32 in a system call (recvmmsg). Returns how many; each has its sender and size.
  /// Blocks, Throws: as receive.   Example: test/unit/net_udp_test.cpp
  [[nodiscard]] std::size_t receive_batch(std::span<incoming> batch);
  [[nodiscard]] std::size_t receive_batch(std::span<incoming> batch, std::error_code& ec) noexcept;
  /// Sends all of them: 32 in a system call (sendmmsg). Returns how many were sent: all of them,
  /// unless `ec` is set.
  std::size_t send_batch(std::span<const outgoing> batch);
  std::size_t send_batch(std::span<const outgoing> batch, std::error_code& ec) noexcept;

  /// Until when a wait for reading may last, as stream_socket::set_read_deadline.
  void set_read_deadline(time_point deadline) noexcept { set_deadlines(true, false, deadline); }
  /// Until when a wait for writing may last.
  void set_write_deadline(time_point deadline) noexcept { set_deadlines(false, true, deadline); }
  /// Until when a wait of either kind may last.
  void set_deadline(time_point deadline) noexcept { set_deadlines(true, true, deadline); }

  /// The address of this end. Throws: std::system_error.
  [[nodiscard]] Endpoint local_endpoint() const;
  /// The connected peer. Throws: std::system_error, not_connected.
  [[nodiscard]] Endpoint remote_endpoint() const;

 protected:
  using socket::socket;
  datagram_socket() noexcept = default;

 private:
  using limit = detail::wait_limit;
  void checked_send(const const_buffers& message, const Endpoint* to);
  [[nodiscard]] received checked_receive(const mutable_buffers& to, const limit& l);
  void send_within(const const_buffers& message, const Endpoint* to, const limit& l,
                   std::error_code& ec) noexcept;
  [[nodiscard]] received receive_within(const mutable_buffers& to, const limit& l,
                                        std::error_code& ec) noexcept;
};

}  // namespace WEFT_API net
}  // namespace weft
