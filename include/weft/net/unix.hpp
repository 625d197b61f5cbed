// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/unix.hpp - Unix sockets: streams and datagrams within a machine, with descriptors that
// travel on them, and the credentials of the peer.
//
//   weft::net::unix_listener listener(weft::net::unix_endpoint("/run/app.sock"));
//   weft::net::unix_stream client = listener.accept();
//   if (client.peer_credentials().user != ::getuid()) client.close();
// Waits end as those of TCP do, see weft/net/tcp.hpp.

#include <sys/types.h>
#include <chrono>
#include <cstddef>
#include <span>
#include <stop_token>
#include <system_error>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/datagram.hpp>
#include <weft/net/stream_socket.hpp>
#include <weft/net/unix_acceptor.hpp>
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

/// What a read returns that takes descriptors, too.
struct read_with_descriptors {
  /// Bytes that were read; 0 at the end of the stream.
  std::size_t bytes = 0;
  /// How many of the places for descriptors are filled.
  std::size_t descriptors = 0;
  /// True if more came than there were places; those are closed.
  bool descriptors_lost = false;
};

/// One connection.
/// Example: test/unit/examples_api_test.cpp [unix]
/// ```
///   weft::net::unix_listener listener(name);
///   auto server = weft::spawn([&] {
///     weft::net::unix_stream client = listener.accept();
///     client.write_all("hello");
///   });
///   weft::net::unix_stream stream(name);
///   stream.read_exactly(answer);
///   server.join();
/// ```
class unix_stream : public stream_socket {
 public:
  /// No connection: every operation fails with bad_file_descriptor.
  unix_stream() noexcept = default;
  /// Takes over the other connection.
  unix_stream(unix_stream&&) noexcept = default;
  /// Closes this connection and takes over the other.
  unix_stream& operator=(unix_stream&&) noexcept = default;
  /// As connect().
  explicit unix_stream(const unix_endpoint& peer, time_point deadline = no_deadline)
      : unix_stream(connect(peer, deadline)) {}

  /// Connects to `peer`; the deadline ends with the call. While the listener's backlog is full it
  /// tries again, after pauses that grow to 50 ms, because the kernel does not report a free place.
  /// Blocks: the fiber; on a plain thread, that thread.
  /// Throws: std::system_error: connection_refused (a socket without a listener),
  /// no_such_file_or_directory, permission_denied, timed_out, operation_canceled.
  /// Example: test/unit/net_unix_test.cpp
  [[nodiscard]] static unix_stream connect(const unix_endpoint& peer,
                                           time_point deadline = no_deadline) {
    return checked_connect(peer, detail::wait_limit(deadline));
  }
  [[nodiscard]] static unix_stream connect(const unix_endpoint& peer, time_point deadline,
                                           std::error_code& ec) noexcept {
    return connect_within(peer, detail::wait_limit(deadline), ec);
  }
  [[nodiscard]] static unix_stream connect(const unix_endpoint& peer,
                                           std::error_code& ec) noexcept {
    return connect_within(peer, {}, ec);
  }
  [[nodiscard]] static unix_stream connect(const std::stop_token& stop, const unix_endpoint& peer) {
    return checked_connect(peer, detail::wait_limit(stop));
  }
  [[nodiscard]] static unix_stream connect(const std::stop_token& stop, const unix_endpoint& peer,
                                           std::error_code& ec) noexcept {
    return connect_within(peer, detail::wait_limit(stop), ec);
  }
  template <class Rep, class Period>
  [[nodiscard]] static unix_stream connect_for(const unix_endpoint& peer,
                                               const std::chrono::duration<Rep, Period>& time) {
    return checked_connect(peer, detail::wait_limit(detail::deadline_after(time)));
  }
  template <class Rep, class Period>
  [[nodiscard]] static unix_stream connect_for(const unix_endpoint& peer,
                                               const std::chrono::duration<Rep, Period>& time,
                                               std::error_code& ec) noexcept {
    return connect_within(peer, detail::wait_limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  [[nodiscard]] static unix_stream connect_until(
      const unix_endpoint& peer, const std::chrono::time_point<Clock, Duration>& t) {
    return checked_connect(peer, detail::wait_limit(detail::to_steady(t)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] static unix_stream connect_until(const unix_endpoint& peer,
                                                 const std::chrono::time_point<Clock, Duration>& t,
                                                 std::error_code& ec) noexcept {
    return connect_within(peer, detail::wait_limit(detail::to_steady(t)), ec);
  }
  /// Makes two ends of one connection (socketpair).
  /// Throws: std::system_error.
  [[nodiscard]] static std::pair<unix_stream, unix_stream> pair();
  /// Takes over a connected Unix stream socket and makes it non-blocking.
  /// Throws: std::system_error; the descriptor is still the caller's then.
  [[nodiscard]] static unix_stream adopt(int native_handle);

  /// Writes all of the data, at least one byte, and sends `descriptors`, at most 253, along with
  /// its first byte: the peer gets duplicates of them.
  /// Blocks: the fiber, while the peer is slower.
  /// Throws: std::system_error with invalid_argument; as write_all.
  /// Example: test/unit/net_unix_test.cpp
  void send_descriptors(const const_buffers& data, std::span<const int> descriptors);
  std::size_t send_descriptors(const const_buffers& data, std::span<const int> descriptors,
                               std::error_code& ec) noexcept;
  /// Reads as read_some does, and takes the descriptors that came with these bytes, close-on-exec.
  /// A plain read closes them.
  [[nodiscard]] read_with_descriptors receive_descriptors(
      const mutable_buffers& to, std::span<received_descriptor> descriptors);
  [[nodiscard]] read_with_descriptors receive_descriptors(
      const mutable_buffers& to, std::span<received_descriptor> descriptors,
      std::error_code& ec) noexcept;

  /// The process at the other end, its user and its group.
  /// Throws: std::system_error.
  [[nodiscard]] credentials peer_credentials() const;
  /// The name of this end; unnamed, if it connected.
  /// Throws: std::system_error.
  [[nodiscard]] unix_endpoint local_endpoint() const;
  /// The name of the other end.
  /// Throws: std::system_error.
  [[nodiscard]] unix_endpoint remote_endpoint() const;

 private:
  friend class unix_acceptor<unix_stream>;
  using stream_socket::stream_socket;
  [[nodiscard]] static unix_stream checked_connect(const unix_endpoint& peer,
                                                   const detail::wait_limit& l);
  [[nodiscard]] static unix_stream connect_within(const unix_endpoint& peer,
                                                  const detail::wait_limit& l,
                                                  std::error_code& ec) noexcept;
};

extern template class unix_acceptor<unix_stream>;

/// A socket that accepts stream connections.
/// Example: test/unit/examples_api_test.cpp [unix]
/// ```
///   weft::net::unix_listener listener(name);
///   auto server = weft::spawn([&] {
///     weft::net::unix_stream client = listener.accept();
///     client.write_all("hello");
///   });
///   weft::net::unix_stream stream(name);
///   stream.read_exactly(answer);
///   server.join();
/// ```
class unix_listener : public unix_acceptor<unix_stream> {
 public:
  /// A closed listener.
  unix_listener() noexcept = default;
  /// Takes over the other listener.
  unix_listener(unix_listener&&) noexcept = default;
  /// Closes this listener and takes over the other.
  unix_listener& operator=(unix_listener&&) noexcept = default;
  /// Listens at `at`.
  /// Throws: std::system_error: address_in_use, permission_denied, no_such_file_or_directory (the
  /// folder).
  /// Example: test/unit/net_unix_test.cpp
  explicit unix_listener(const unix_endpoint& at, const unix_listen_options& options = {})
      : unix_acceptor(at, options) {}
  /// Takes over a Unix stream socket that listens already, and leaves its file alone.
  /// Throws: as tcp_listener::adopt.
  [[nodiscard]] static unix_listener adopt(int native_handle) {
    return unix_listener(adopted(native_handle));
  }

 private:
  using unix_acceptor::unix_acceptor;
};

extern template class datagram_socket<unix_endpoint>;

/// Messages within a machine. They arrive in order, and none is lost: if the receiver is slower,
/// senders wait.
class unix_datagram : public datagram_socket<unix_endpoint> {
 public:
  /// No socket: every operation fails with bad_file_descriptor.
  unix_datagram() noexcept = default;
  /// Takes over the other socket.
  unix_datagram(unix_datagram&&) noexcept = default;
  /// Closes this socket and takes over the other.
  unix_datagram& operator=(unix_datagram&&) noexcept = default;
  /// A socket that receives at `at`. Its file stays when it is closed.
  /// Throws: std::system_error: address_in_use, ...
  /// Example: test/unit/net_unix_test.cpp
  explicit unix_datagram(const unix_endpoint& at);
  /// A socket without a name: it can send, but nobody can answer it.
  /// Throws: std::system_error.
  [[nodiscard]] static unix_datagram unnamed();
  /// Makes two sockets that are each other's peer (socketpair).
  /// Throws: std::system_error.
  [[nodiscard]] static std::pair<unix_datagram, unix_datagram> pair();
  /// Takes over a Unix datagram socket and makes it non-blocking.
  /// Throws: std::system_error; the descriptor is still the caller's then.
  [[nodiscard]] static unix_datagram adopt(int native_handle);

 private:
  using datagram_socket::datagram_socket;
};

}  // namespace WEFT_API net
}  // namespace weft
