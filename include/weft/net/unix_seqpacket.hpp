// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/unix_seqpacket.hpp - Unix sockets that are connected, as streams are, and whose messages
// stay whole, as datagrams do.
//
//   weft::net::unix_seqpacket_listener listener(weft::net::unix_endpoint("/run/app.control"));
//   weft::net::unix_seqpacket client = listener.accept();
//   while (const auto command = client.receive(buffer)) ...   // until the peer has closed
//
// Messages arrive in order, and none is lost. Waits end as those of TCP do, see weft/net/tcp.hpp.

#include <cstddef>
#include <span>
#include <system_error>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/message.hpp>
#include <weft/net/unix.hpp>
#include <weft/net/unix_acceptor.hpp>
#include <weft/net/unix_connection.hpp>

namespace weft {
namespace WEFT_API net {

/// A message that was received, or the end of the connection.
struct packet {
  /// Bytes in the buffer.
  std::size_t size = 0;
  /// Bytes of the message; more than `size` if the buffer was too small. 0 at the end.
  std::size_t full_size = 0;

  /// True if the buffer was too small.
  [[nodiscard]] bool truncated() const noexcept { return full_size > size; }
  /// False at the end, when the peer has closed the connection, and if the call failed.
  explicit operator bool() const noexcept { return full_size != 0; }
};

/// A packet, and the descriptors that came with it.
struct packet_with_descriptors : packet {
  /// How many of the places for descriptors are filled.
  std::size_t descriptors = 0;
  /// True if more came than there were places, or than this process may have descriptors; those are
  /// closed.
  bool descriptors_lost = false;
};

/// One connection. A fiber may send while another one receives.
///
/// An empty message cannot be sent (invalid_argument), because the peer could not tell it from the
/// end of the connection. SIGPIPE is never raised. connect is that of unix_stream, and fails with
/// wrong_protocol_type if a listener of another kind is at that path.
/// Example: test/unit/examples_api_test.cpp [seqpacket]
/// ```
///   auto [parent, child] = weft::net::unix_seqpacket::pair();
///   auto worker = weft::spawn([&c = child] {
///     std::array<char, 64> room;
///     while (const auto command = c.receive(room))
///       c.send({"done: ", std::span(room).first(command.size)});
///   });
///   parent.send("reload");
///   const auto answer = parent.receive(text);
///   parent.close();
///   worker.join();
/// ```
class unix_seqpacket
    : public unix_connection<socket, unix_seqpacket, packet_with_descriptors, void>,
      public message_forms<unix_seqpacket, packet> {
 public:
  /// No connection: every operation fails with bad_file_descriptor.
  unix_seqpacket() noexcept = default;
  /// Takes over the other connection.
  unix_seqpacket(unix_seqpacket&&) noexcept = default;
  /// Closes this connection and takes over the other.
  unix_seqpacket& operator=(unix_seqpacket&&) noexcept = default;
  /// As connect().
  explicit unix_seqpacket(const unix_endpoint& peer) : unix_seqpacket(connect(peer)) {}

  /// Makes two ends of one connection (socketpair).
  /// Throws: std::system_error.
  [[nodiscard]] static std::pair<unix_seqpacket, unix_seqpacket> pair();
  /// Takes over a connected socket of this kind and makes it non-blocking.
  /// Throws: std::system_error; the descriptor is still the caller's then.
  [[nodiscard]] static unix_seqpacket adopt(int native_handle);

 private:
  friend class unix_acceptor<unix_seqpacket>;
  friend class message_forms<unix_seqpacket, packet>;
  using limit = detail::wait_limit;
  friend unix_connection;
  friend class connect_forms<unix_seqpacket, unix_endpoint>;
  using unix_connection::unix_connection;
  [[nodiscard]] static unix_seqpacket connect_within(const unix_endpoint& peer, const limit& l,
                                                     std::error_code& ec) noexcept;
  void send_within(const const_buffers& message, const limit& l, std::error_code& ec) noexcept;
  [[nodiscard]] packet receive_within(const mutable_buffers& to, const limit& l,
                                      std::error_code& ec) noexcept;
  void send_descriptors_within(const const_buffers& message, std::span<const int> descriptors,
                               const limit& l, std::error_code& ec) noexcept;
  [[nodiscard]] packet_with_descriptors receive_descriptors_within(
      const mutable_buffers& to, std::span<received_descriptor> descriptors, const limit& l,
      std::error_code& ec) noexcept;
};

extern template class unix_connection<socket, unix_seqpacket, packet_with_descriptors, void>;
extern template class unix_acceptor<unix_seqpacket>;

/// A socket that accepts unix_seqpacket connections.
/// Example: test/unit/examples_api_test.cpp [seqpacket_listener]
/// ```
///   weft::net::unix_seqpacket_listener listener(name);
///   auto server = weft::spawn([&] { listener.accept().send("hello"); });
///   weft::net::unix_seqpacket client(name);
///   const auto greeting = client.receive(text);
///   server.join();
/// ```
class unix_seqpacket_listener : public unix_acceptor<unix_seqpacket> {
 public:
  /// A closed listener.
  unix_seqpacket_listener() noexcept = default;
  /// Takes over the other listener.
  unix_seqpacket_listener(unix_seqpacket_listener&&) noexcept = default;
  /// Closes this listener and takes over the other.
  unix_seqpacket_listener& operator=(unix_seqpacket_listener&&) noexcept = default;
  /// Listens at `at`.
  /// Throws: std::system_error: address_in_use, permission_denied, no_such_file_or_directory (the
  /// folder).
  explicit unix_seqpacket_listener(const unix_endpoint& at, const unix_listen_options& options = {})
      : unix_acceptor(at, options) {}
  /// Takes over a socket of this kind that listens already, and leaves its file alone.
  /// Throws: as tcp_listener::adopt.
  [[nodiscard]] static unix_seqpacket_listener adopt(int native_handle) {
    return unix_seqpacket_listener(adopted(native_handle));
  }

 private:
  using unix_acceptor::unix_acceptor;
};

}  // namespace WEFT_API net
}  // namespace weft
