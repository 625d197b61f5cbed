// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/tcp.hpp - TCP as blocking code: a listener that accepts, a stream that reads and writes.
//
//   weft::net::tcp_listener listener({"127.0.0.1", 8080});
//   for (;;)
//     weft::spawn([](weft::net::tcp_stream client) { ... }, listener.accept()).detach();
//
// A call that cannot go on parks its fiber; on a plain thread it blocks the thread. Such waits end
// early at the deadline (timed_out), when the fiber is asked to stop (operation_canceled), and when
// another fiber closes the socket (operation_canceled). A call that can go on does: deadlines and
// stop requests only end waits. Every function that can fail has a form that takes a
// std::error_code& and one that throws std::system_error; its text names the operation and both
// ends. SIGPIPE is never raised.

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include <weft/net/endpoint.hpp>
#include <weft/net/error.hpp>
#include <weft/net/socket.hpp>

namespace weft::net {

enum class shutdown_side : std::uint8_t { receive, send, both };
enum class no_delay : std::uint8_t { off, on };

/// One TCP connection. Reads and writes may go on at the same time; of two reads (two writes) at
/// the same time each gets a part, in no order. Nagle's algorithm is off.
class tcp_stream : public socket {
 public:
  /// No connection: everything fails with bad_file_descriptor.
  tcp_stream() noexcept = default;
  tcp_stream(tcp_stream&&) noexcept = default;
  tcp_stream& operator=(tcp_stream&&) noexcept = default;
  /// As connect().
  explicit tcp_stream(const endpoint& peer, time_point deadline = no_deadline);

  /// Connects to `peer`. The deadline is that of connecting only.
  ///
  /// Blocks: the fiber, until the peer has answered; from a plain thread, that thread.
  /// Throws: std::system_error: connection_refused, timed_out, operation_canceled,
  /// network_unreachable, ...;
  ///         too_many_files_open, with the limit to raise.
  /// Example: test/unit/net_tcp_test.cpp
  [[nodiscard]] static tcp_stream connect(const endpoint& peer, time_point deadline = no_deadline);
  [[nodiscard]] static tcp_stream connect(const endpoint& peer, time_point deadline,
                                          std::error_code& ec) noexcept;
  [[nodiscard]] static tcp_stream connect(const endpoint& peer, std::error_code& ec) noexcept {
    return connect(peer, no_deadline, ec);
  }
  /// Takes over a connected stream socket, and makes it non-blocking. Throws: std::system_error;
  /// then the descriptor is still the caller's.
  [[nodiscard]] static tcp_stream adopt(int native_handle);

  /// Reads what is there, at least one byte and at most buffer.size(). 0: the end of the stream;
  /// also for an empty buffer, at once.
  ///
  /// Blocks: the fiber, while nothing is there.   Throws: std::system_error, see above.
  /// Example: test/unit/net_tcp_test.cpp
  [[nodiscard]] std::size_t read_some(std::span<std::byte> buffer);
  [[nodiscard]] std::size_t read_some(std::span<std::byte> buffer, std::error_code& ec) noexcept;

  /// Reads until the buffer is full. Returns how many bytes were read: all of them, unless `ec` is
  /// set.
  ///
  /// Blocks: the fiber.   Throws: std::system_error; net_errc::end_of_stream if the stream ends
  /// before.
  void read_exactly(std::span<std::byte> buffer);
  std::size_t read_exactly(std::span<std::byte> buffer, std::error_code& ec) noexcept;

  /// Writes as much as the kernel takes now, at least one byte. Returns how many.
  ///
  /// Blocks: the fiber, while the kernel takes none.   Throws: std::system_error: broken_pipe,
  /// connection_reset, ...
  [[nodiscard]] std::size_t write_some(std::span<const std::byte> data);
  [[nodiscard]] std::size_t write_some(std::span<const std::byte> data,
                                       std::error_code& ec) noexcept;
  /// The same by the name write(2) has.
  [[nodiscard]] std::size_t write(std::span<const std::byte> data) { return write_some(data); }
  [[nodiscard]] std::size_t write(std::span<const std::byte> data, std::error_code& ec) noexcept {
    return write_some(data, ec);
  }

  /// Writes everything. Returns how many bytes the kernel took: all of them, unless `ec` is set.
  ///
  /// Blocks: the fiber, while the peer is slower.   Throws: as write_some.
  void write_all(std::span<const std::byte> data);
  std::size_t write_all(std::span<const std::byte> data, std::error_code& ec) noexcept;

  /// Ends one direction: after `send` the peer reads the end of the stream, and this side still
  /// reads. Throws: std::system_error, not_connected.
  void shutdown(shutdown_side side);
  void shutdown(shutdown_side side, std::error_code& ec) noexcept;

  /// Off: small writes may be held back and joined (Nagle's algorithm). Throws: std::system_error.
  void set_no_delay(no_delay value);

  /// Until when a wait for reading (writing, either) may last; no_deadline takes it back. It holds
  /// for waits that begin afterwards, and stays for all later ones.
  void set_read_deadline(time_point deadline) noexcept { set_deadlines(true, false, deadline); }
  void set_write_deadline(time_point deadline) noexcept { set_deadlines(false, true, deadline); }
  void set_deadline(time_point deadline) noexcept { set_deadlines(true, true, deadline); }

  /// The peer, as it was when the connection was made. Throws: std::system_error if there is none.
  [[nodiscard]] endpoint remote_endpoint() const;
  [[nodiscard]] endpoint remote_endpoint(std::error_code& ec) const noexcept;

 private:
  friend class tcp_listener;
  using socket::socket;
};

/// A socket that takes connections.
class tcp_listener : public socket {
 public:
  static constexpr int default_backlog = 4096;  // the kernel cuts it to its net.core.somaxconn

  tcp_listener() noexcept = default;
  tcp_listener(tcp_listener&&) noexcept = default;
  tcp_listener& operator=(tcp_listener&&) noexcept = default;
  /// Listens at `at`; port 0 is any free one, see local_endpoint(). An address in use a moment ago
  /// may be used again; one that another socket listens at may not. An IPv6 listener takes IPv6
  /// only.
  ///
  /// Throws: std::system_error: address_in_use, permission_denied, address_not_available,
  /// too_many_files_open.
  explicit tcp_listener(const endpoint& at, int backlog = default_backlog);
  [[nodiscard]] static tcp_listener listen(const endpoint& at, std::error_code& ec,
                                           int backlog = default_backlog) noexcept;

  /// Takes the next connection; `*peer` is set to its other end. Several fibers may accept at the
  /// same time.
  ///
  /// Blocks: the fiber, until one comes.
  /// Throws: std::system_error: operation_canceled after close(); too_many_files_open, with the
  /// limit to raise: the
  ///         connection waits in the backlog, accept again when descriptors were closed.
  /// Example: test/unit/net_tcp_test.cpp
  [[nodiscard]] tcp_stream accept(endpoint* peer = nullptr);
  [[nodiscard]] tcp_stream accept(std::error_code& ec, endpoint* peer = nullptr) noexcept;

  /// Until when a wait in accept may last, as tcp_stream::set_deadline.
  void set_deadline(time_point deadline) noexcept { set_deadlines(true, false, deadline); }

 private:
  using socket::socket;
};

}  // namespace weft::net
