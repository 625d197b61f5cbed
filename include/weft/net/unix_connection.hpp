// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/unix_connection.hpp - what connected Unix sockets share: connecting, descriptors that
// travel, and who is at the other end.
//
//   s.send_descriptors(data, numbers)             s.send_descriptors(data, numbers, ec)
//   s.send_descriptors_for(data, numbers, 5s)     s.send_descriptors_for(data, numbers, 5s, ec)
//   s.send_descriptors_until(data, numbers, t)    s.send_descriptors_until(data, numbers, t, ec)
//   s.send_descriptors(stop, data, numbers)       s.send_descriptors(stop, data, numbers, ec)
//
// receive_descriptors has the same forms. A limit only ends waits, as in weft/net/stream.hpp.

#include <sys/types.h>
#include <chrono>
#include <cstddef>
#include <span>
#include <stop_token>
#include <system_error>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/buffer.hpp>
#include <weft/net/connect_forms.hpp>
#include <weft/net/unix_endpoint.hpp>

namespace weft {
namespace WEFT_API net {

/// The process at the other end, as the kernel saw it when the connection was made.
struct credentials {
  /// The process.
  pid_t process;
  /// Its effective user.
  uid_t user;
  /// Its effective group.
  gid_t group;
};

/// Owns a descriptor that came over a Unix socket. Move-only; the destructor closes it.
class received_descriptor {
 public:
  /// No descriptor.
  received_descriptor() noexcept = default;
  /// Takes over `number`.
  explicit received_descriptor(int number) noexcept : number_(number) {}
  /// Takes over the other's descriptor.
  received_descriptor(received_descriptor&& other) noexcept : number_(other.release()) {}
  /// Closes this descriptor and takes over the other's.
  received_descriptor& operator=(received_descriptor&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~received_descriptor() { reset(-1); }

  /// The number; -1 if there is none.
  [[nodiscard]] int get() const noexcept { return number_; }
  /// Gives the descriptor away; -1 if there is none.
  [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

 private:
  void reset(int number) noexcept;
  int number_ = -1;
};

/// What unix_stream and unix_seqpacket share: `Self` is one of them, over the class `Socket`. It
/// receives a `Received`, and its sending returns a `Sent`, for the forms with an error code.
///
/// It has, privately if this class is its friend:
///
/// - what connect_forms needs
/// - `Sent send_descriptors_within(const const_buffers&, std::span<const int>, const wait_limit&,
///   std::error_code&) noexcept`
/// - `Received receive_descriptors_within(const mutable_buffers&, std::span<received_descriptor>,
///   const wait_limit&, std::error_code&) noexcept`
template <class Socket, class Self, class Received, class Sent>
class unix_connection : public Socket, public connect_forms<Self, unix_endpoint> {
 public:
  /// Writes all of the data, at least one byte (a seqpacket socket: sends the message), and sends
  /// `descriptors`, at most 253, along with its first byte: the peer gets duplicates of them. On a
  /// stream, the forms with `ec` return how many bytes were taken: all of them, unless `ec` is set;
  /// if any were, the descriptors have gone. A time limits the whole call.
  /// Blocks: the fiber, while the peer is slower; on a plain thread, that thread.
  /// Throws: std::system_error with invalid_argument; as write_all (or send).
  /// Example: test/unit/net_unix_test.cpp
  void send_descriptors(const const_buffers& data, std::span<const int> descriptors) {
    send_or_throw(data, descriptors, {});
  }
  Sent send_descriptors(const const_buffers& data, std::span<const int> descriptors,
                        std::error_code& ec) noexcept {
    return self().send_descriptors_within(data, descriptors, {}, ec);
  }
  void send_descriptors(const std::stop_token& stop, const const_buffers& data,
                        std::span<const int> descriptors) {
    send_or_throw(data, descriptors, limit(stop));
  }
  Sent send_descriptors(const std::stop_token& stop, const const_buffers& data,
                        std::span<const int> descriptors, std::error_code& ec) noexcept {
    return self().send_descriptors_within(data, descriptors, limit(stop), ec);
  }
  template <class Rep, class Period>
  void send_descriptors_for(const const_buffers& data, std::span<const int> descriptors,
                            const std::chrono::duration<Rep, Period>& time) {
    send_or_throw(data, descriptors, limit(detail::deadline_after(time)));
  }
  template <class Rep, class Period>
  Sent send_descriptors_for(const const_buffers& data, std::span<const int> descriptors,
                            const std::chrono::duration<Rep, Period>& time,
                            std::error_code& ec) noexcept {
    return self().send_descriptors_within(data, descriptors, limit(detail::deadline_after(time)),
                                          ec);
  }
  template <class Clock, class Duration>
  void send_descriptors_until(const const_buffers& data, std::span<const int> descriptors,
                              const std::chrono::time_point<Clock, Duration>& t) {
    send_or_throw(data, descriptors, limit(detail::to_steady(t)));
  }
  template <class Clock, class Duration>
  Sent send_descriptors_until(const const_buffers& data, std::span<const int> descriptors,
                              const std::chrono::time_point<Clock, Duration>& t,
                              std::error_code& ec) noexcept {
    return self().send_descriptors_within(data, descriptors, limit(detail::to_steady(t)), ec);
  }

  /// Reads as read_some does (a seqpacket socket: receives a message), and takes the descriptors
  /// that came with it, close-on-exec. A plain read closes them.
  /// Blocks: the fiber, while nothing is there; on a plain thread, that thread.
  /// Throws: as read_some (or receive).
  /// Example: test/unit/net_unix_test.cpp
  [[nodiscard]] Received receive_descriptors(const mutable_buffers& to,
                                             std::span<received_descriptor> descriptors) {
    return receive_or_throw(to, descriptors, {});
  }
  [[nodiscard]] Received receive_descriptors(const mutable_buffers& to,
                                             std::span<received_descriptor> descriptors,
                                             std::error_code& ec) noexcept {
    return self().receive_descriptors_within(to, descriptors, {}, ec);
  }
  [[nodiscard]] Received receive_descriptors(const std::stop_token& stop, const mutable_buffers& to,
                                             std::span<received_descriptor> descriptors) {
    return receive_or_throw(to, descriptors, limit(stop));
  }
  [[nodiscard]] Received receive_descriptors(const std::stop_token& stop, const mutable_buffers& to,
                                             std::span<received_descriptor> descriptors,
                                             std::error_code& ec) noexcept {
    return self().receive_descriptors_within(to, descriptors, limit(stop), ec);
  }
  template <class Rep, class Period>
  [[nodiscard]] Received receive_descriptors_for(const mutable_buffers& to,
                                                 std::span<received_descriptor> descriptors,
                                                 const std::chrono::duration<Rep, Period>& time) {
    return receive_or_throw(to, descriptors, limit(detail::deadline_after(time)));
  }
  template <class Rep, class Period>
  [[nodiscard]] Received receive_descriptors_for(const mutable_buffers& to,
                                                 std::span<received_descriptor> descriptors,
                                                 const std::chrono::duration<Rep, Period>& time,
                                                 std::error_code& ec) noexcept {
    return self().receive_descriptors_within(to, descriptors, limit(detail::deadline_after(time)),
                                             ec);
  }
  template <class Clock, class Duration>
  [[nodiscard]] Received receive_descriptors_until(
      const mutable_buffers& to, std::span<received_descriptor> descriptors,
      const std::chrono::time_point<Clock, Duration>& t) {
    return receive_or_throw(to, descriptors, limit(detail::to_steady(t)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] Received receive_descriptors_until(
      const mutable_buffers& to, std::span<received_descriptor> descriptors,
      const std::chrono::time_point<Clock, Duration>& t, std::error_code& ec) noexcept {
    return self().receive_descriptors_within(to, descriptors, limit(detail::to_steady(t)), ec);
  }

  /// The process at the other end, its user and its group.
  /// Throws: std::system_error.
  [[nodiscard]] credentials peer_credentials() const;
  /// The name of this end; unnamed, if it connected.
  /// Throws: std::system_error.
  [[nodiscard]] unix_endpoint local_endpoint() const;
  /// The name of the other end.
  /// Throws: std::system_error.
  [[nodiscard]] unix_endpoint remote_endpoint() const;

 protected:
  using Socket::Socket;
  /// No connection.
  unix_connection() noexcept = default;

 private:
  using limit = detail::wait_limit;
  Self& self() noexcept { return static_cast<Self&>(*this); }

  void send_or_throw(const const_buffers& data, std::span<const int> descriptors, const limit& l) {
    std::error_code ec;
    self().send_descriptors_within(data, descriptors, l, ec);
    if (ec) [[unlikely]]
      this->fail("send descriptors to", ec);
  }
  [[nodiscard]] Received receive_or_throw(const mutable_buffers& to,
                                          std::span<received_descriptor> descriptors,
                                          const limit& l) {
    std::error_code ec;
    Received got = self().receive_descriptors_within(to, descriptors, l, ec);
    if (ec) [[unlikely]]
      this->fail("receive descriptors from", ec);
    return got;
  }
};

}  // namespace WEFT_API net
}  // namespace weft
