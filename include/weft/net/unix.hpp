// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/unix.hpp - Unix sockets: streams and datagrams within a machine, with descriptors that
// travel on them, and the credentials of the peer.
//
//   weft::net::unix_listener listener(weft::net::unix_endpoint("/run/app.sock"));
//   weft::net::unix_stream client = listener.accept();
//   if (client.peer_credentials().user != ::getuid()) client.close();
// Waits end as those of TCP do, see weft/net/tcp.hpp.

#include <cstddef>
#include <span>
#include <system_error>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/datagram.hpp>
#include <weft/net/stream_socket.hpp>
#include <weft/net/unix_acceptor.hpp>
#include <weft/net/unix_connection.hpp>
#include <weft/net/unix_endpoint.hpp>

namespace weft {
namespace WEFT_API net {

/// What a read returns that takes descriptors, too.
struct read_with_descriptors {
  /// Bytes that were read; 0 at the end of the stream.
  std::size_t bytes = 0;
  /// How many of the places for descriptors are filled.
  std::size_t descriptors = 0;
  /// True if more came than there were places, or than this process may have descriptors; those are
  /// closed.
  bool descriptors_lost = false;
};

/// One connection.
///
/// While the listener's backlog is full, connect tries again, after pauses that grow to 50 ms,
/// because the kernel does not report a free place. Its errors are connection_refused (a socket
/// without a listener), no_such_file_or_directory, permission_denied, timed_out,
/// operation_canceled.
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
class unix_stream
    : public unix_connection<stream_socket, unix_stream, read_with_descriptors, std::size_t> {
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

  /// Makes two ends of one connection (socketpair).
  /// Throws: std::system_error.
  [[nodiscard]] static std::pair<unix_stream, unix_stream> pair();
  /// Takes over a connected Unix stream socket and makes it non-blocking.
  /// Throws: std::system_error; the descriptor is still the caller's then.
  [[nodiscard]] static unix_stream adopt(int native_handle);

 private:
  friend class unix_acceptor<unix_stream>;
  friend unix_connection;
  friend class connect_forms<unix_stream, unix_endpoint>;
  using unix_connection::unix_connection;
  [[nodiscard]] static unix_stream connect_within(const unix_endpoint& peer,
                                                  const detail::wait_limit& l,
                                                  std::error_code& ec) noexcept;
  std::size_t send_descriptors_within(const const_buffers& data, std::span<const int> descriptors,
                                      const detail::wait_limit& l, std::error_code& ec) noexcept;
  [[nodiscard]] read_with_descriptors receive_descriptors_within(
      const mutable_buffers& to, std::span<received_descriptor> descriptors,
      const detail::wait_limit& l, std::error_code& ec) noexcept;
};

extern template class unix_connection<stream_socket, unix_stream, read_with_descriptors,
                                      std::size_t>;
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
