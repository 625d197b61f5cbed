// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/stream_socket.hpp - what connected sockets that carry a stream have in common: reading,
// writing, ending one direction, sending a file.

#include <cstddef>
#include <cstdint>
#include <system_error>

#include <weft/net/socket.hpp>
#include <weft/net/stream.hpp>

namespace weft::net {

enum class shutdown_side : std::uint8_t { receive, send, both };

/// Reads and writes may go on at the same time; of two reads (two writes) at the same time each
/// gets a part, in no order. SIGPIPE is never raised.
class stream_socket : public socket, public stream_forms<stream_socket> {
 public:
  /// Ends one direction: after `send` the peer reads the end of the stream, and this side still
  /// reads. Throws: std::system_error, not_connected.
  void shutdown(shutdown_side side);
  void shutdown(shutdown_side side, std::error_code& ec) noexcept;
  void shutdown_send() { shutdown(shutdown_side::send); }
  void shutdown_send(std::error_code& ec) noexcept { shutdown(shutdown_side::send, ec); }
  void shutdown_receive() { shutdown(shutdown_side::receive); }
  void shutdown_receive(std::error_code& ec) noexcept { shutdown(shutdown_side::receive, ec); }

  /// Until when a wait for reading (writing, either) may last; no_deadline takes it back. It holds
  /// for waits that begin afterwards, and stays for all later ones.
  void set_read_deadline(time_point deadline) noexcept { set_deadlines(true, false, deadline); }
  void set_write_deadline(time_point deadline) noexcept { set_deadlines(false, true, deadline); }
  void set_deadline(time_point deadline) noexcept { set_deadlines(true, true, deadline); }

  /// Sends `count` bytes of `file`, from `offset` on, by sendfile(2): they are not copied through
  /// this process. Returns how many were sent: fewer only if the file ends before, or `ec` is set.
  /// The file's own position is left alone. Pages that are not in memory are fetched by a thread of
  /// the offload pool, while the fiber waits.
  ///
  /// Blocks: the fiber, while the peer is slower.   Throws: as write_all; what reading the file
  /// says.
  /// Example: test/unit/net_send_file_test.cpp
  std::size_t send_file(int file, std::uint64_t offset, std::size_t count);
  std::size_t send_file(int file, std::uint64_t offset, std::size_t count,
                        std::error_code& ec) noexcept;

 protected:
  using socket::socket;
  stream_socket() noexcept = default;

  std::size_t read_within(const mutable_buffers& to, std::size_t skip, const detail::wait_limit& l,
                          std::error_code& ec) noexcept;
  std::size_t write_within(const const_buffers& from, std::size_t skip, const detail::wait_limit& l,
                           std::error_code& ec) noexcept;

 private:
  friend class stream_forms<stream_socket>;
};

}  // namespace weft::net
