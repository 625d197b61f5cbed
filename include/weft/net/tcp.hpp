// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/tcp.hpp - TCP as blocking code: a listener that accepts, a stream that reads and writes.
//
//   weft::net::tcp_listener listener({"127.0.0.1", 8080});
//   for (;;)
//     weft::spawn([](weft::net::tcp_stream client) { ... }, listener.accept()).detach();
//
// If a call cannot proceed it parks its fiber; on a plain thread it blocks the thread. Such a wait
// ends early at the deadline (timed_out), if a stop is requested on the fiber (operation_canceled),
// and if another fiber closes the socket (operation_canceled). Deadlines and stop requests only end
// waits: a call that can proceed does so. Every function that can fail has a form with a
// std::error_code& and a form that throws std::system_error, whose text names the operation and
// both ends. SIGPIPE is never raised.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/accept_forms.hpp>
#include <weft/net/connect_forms.hpp>
#include <weft/net/endpoint.hpp>
#include <weft/net/error.hpp>
#include <weft/net/socket.hpp>
#include <weft/net/stream_socket.hpp>

namespace weft::detail {
class connect_race;
}

namespace weft {
namespace WEFT_API net {

/// Whether small writes are sent at once (`on`) or may be held back and joined (`off`).
enum class no_delay : std::uint8_t { off, on };

/// When a silent peer is probed, and when it counts as gone: after idle + count * interval reads
/// and writes fail with timed_out.
struct keep_alive {
  /// Time without a packet before the first probe.
  std::chrono::seconds idle{60};
  /// Time between probes.
  std::chrono::seconds interval{10};
  /// Probes without an answer.
  int count = 6;
};

/// One TCP connection. Nagle's algorithm is off. connect takes an address; for names see
/// weft/net/connect.hpp. Its errors are connection_refused, timed_out, operation_canceled,
/// network_unreachable, too_many_files_open (with the limit to raise), ...
/// Example: test/unit/examples_api_test.cpp [tcp_stream]
/// ```
///   weft::net::tcp_stream stream = weft::net::tcp_stream::connect_for(address, 30s);
///   stream.write_all("ping");
///   stream.shutdown_send();
///   std::array<char, 64> buffer;
///   while (const std::size_t n = stream.read_some(buffer)) text.append(buffer.data(), n);
/// ```
class tcp_stream : public stream_socket, public connect_forms<tcp_stream, endpoint> {
 public:
  /// No connection: every operation fails with bad_file_descriptor.
  tcp_stream() noexcept = default;
  /// Takes over the other connection.
  tcp_stream(tcp_stream&&) noexcept = default;
  /// Closes this connection and takes over the other.
  tcp_stream& operator=(tcp_stream&&) noexcept = default;
  /// As connect().
  explicit tcp_stream(const endpoint& peer, time_point deadline = no_deadline);

  /// Takes over a connected stream socket and makes it non-blocking.
  /// Throws: std::system_error; the descriptor is still the caller's then.
  [[nodiscard]] static tcp_stream adopt(int native_handle);

  /// With `off`, small writes may be held back and joined (Nagle's algorithm).
  /// Throws: std::system_error.
  void set_no_delay(no_delay value);
  /// Sets when a silent peer is probed; std::nullopt, as in a new connection, means never.
  /// Throws: std::system_error.
  void set_keep_alive(const std::optional<keep_alive>& value);

  /// Sets what closing does with data that the peer has not acknowledged. No close waits for it.
  ///
  /// With std::nullopt, as in a new connection, the kernel goes on sending the data. With 0 s the
  /// data are dropped, and the peer reads connection_reset. With a longer time (32767 s at most)
  /// the kernel goes on sending, and drops the data once the peer has acknowledged none for so
  /// long. A number that was released keeps no such time.
  /// Throws: std::system_error.
  void set_linger(const std::optional<std::chrono::seconds>& time);

  /// The address of the peer when the connection was made.
  /// Throws: std::system_error: not_connected; address_family_not_supported for the peer of an
  /// adopted Unix socket.
  [[nodiscard]] endpoint remote_endpoint() const;
  [[nodiscard]] endpoint remote_endpoint(std::error_code& ec) const noexcept;

 private:
  friend class tcp_listener;
  friend class connect_forms<tcp_stream, endpoint>;
  friend class detail::connect_race;
  using stream_socket::stream_socket;
  // `ec`: none if it is connected, operation_in_progress if it may be later.
  [[nodiscard]] static tcp_stream begin_connect(const endpoint& peer, std::error_code& ec) noexcept;
  void continue_connect(std::error_code& ec) noexcept;
  [[nodiscard]] static tcp_stream connect_within(const endpoint& peer, const detail::wait_limit& l,
                                                 std::error_code& ec) noexcept;
};

/// Which peers a listener at an IPv6 address accepts. `dual`, at "::", accepts IPv4, too; the
/// peers' addresses are "::ffff:192.0.2.1" then (see endpoint::unmapped).
enum class ip_stack : std::uint8_t { single, dual };
/// Whether several sockets of one user may have the same address. With `spread` the kernel spreads
/// the connections (or datagrams) over them (SO_REUSEPORT).
enum class port_sharing : std::uint8_t { none, spread };

/// The settings of a listener.
struct listen_options {
  /// Connections that may wait for accept. The kernel limits it to net.core.somaxconn.
  int backlog = 4096;
  /// The peers it accepts.
  ip_stack stack = ip_stack::single;
  /// Whether other sockets may listen at the same address.
  port_sharing sharing = port_sharing::none;
};

/// A socket that accepts connections.
/// Example: test/unit/examples_api_test.cpp [tcp_listener]
/// ```
///   weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));  // any free port
///   auto server = weft::spawn([&] {
///     weft::net::tcp_stream client = listener.accept();
///     client.write_all("hello");
///   });
///   weft::net::tcp_stream stream(listener.local_endpoint());
///   stream.set_read_deadline(std::chrono::steady_clock::now() + 30s);
///   stream.read_exactly(answer);
///   server.join();
/// ```
class tcp_listener : public socket, public accept_forms<tcp_listener, tcp_stream, endpoint> {
 public:
  /// The default of listen_options::backlog.
  static constexpr int default_backlog = listen_options{}.backlog;

  /// A closed listener.
  tcp_listener() noexcept = default;
  /// Takes over the other listener.
  tcp_listener(tcp_listener&&) noexcept = default;
  /// Closes this listener and takes over the other.
  tcp_listener& operator=(tcp_listener&&) noexcept = default;

  /// Listens at `at`. Port 0 means any free port; see local_endpoint(). An address that was in use
  /// a moment ago may be used again. An address at which another socket listens may not, unless
  /// both share it.
  /// Throws: std::system_error: address_in_use, permission_denied, address_not_available,
  /// too_many_files_open.
  /// Example: test/unit/net_listen_test.cpp
  explicit tcp_listener(const endpoint& at, int backlog = default_backlog);
  /// Listens at `at`, with these settings.
  tcp_listener(const endpoint& at, const listen_options& options);
  /// Listens at `at`, with errors in `ec` instead of exceptions.
  [[nodiscard]] static tcp_listener listen(const endpoint& at, std::error_code& ec,
                                           int backlog = default_backlog) noexcept {
    return listen(at, listen_options{.backlog = backlog}, ec);
  }
  [[nodiscard]] static tcp_listener listen(const endpoint& at, const listen_options& options,
                                           std::error_code& ec) noexcept;

  /// Takes over a TCP socket that listens already, from systemd (socket activation: descriptor 3
  /// and following) or from another process, and makes it non-blocking.
  /// Throws: std::system_error with invalid_argument if it does not listen; the descriptor is still
  /// the caller's then.
  [[nodiscard]] static tcp_listener adopt(int native_handle);

 private:
  friend class accept_forms<tcp_listener, tcp_stream, endpoint>;
  using socket::socket;
  [[nodiscard]] tcp_stream accept_within(const detail::wait_limit& l, std::error_code& ec,
                                         endpoint* peer) noexcept;
};

}  // namespace WEFT_API net
}  // namespace weft
