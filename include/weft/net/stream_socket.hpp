// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/stream_socket.hpp - what connected stream sockets have in common: reading, writing,
// ending one direction, sending a file.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <system_error>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/socket.hpp>
#include <weft/net/stream.hpp>

namespace weft {
namespace WEFT_API net {

/// A direction of a connection.
enum class shutdown_side : std::uint8_t { receive, send, both };

/// A connected socket that carries a stream of bytes.
///
/// A read and a write may run at the same time. Of two reads (or two writes) at the same time each
/// gets a part, in no order. SIGPIPE is never raised.
class stream_socket : public socket, public stream_forms<stream_socket> {
 public:
  /// Ends one direction. After `send` the peer reads the end of the stream, and this side can still
  /// read.
  /// Throws: std::system_error with not_connected.
  void shutdown(shutdown_side side);
  void shutdown(shutdown_side side, std::error_code& ec) noexcept;
  /// As shutdown(shutdown_side::send).
  void shutdown_send() { shutdown(shutdown_side::send); }
  void shutdown_send(std::error_code& ec) noexcept { shutdown(shutdown_side::send, ec); }
  /// As shutdown(shutdown_side::receive).
  void shutdown_receive() { shutdown(shutdown_side::receive); }
  void shutdown_receive(std::error_code& ec) noexcept { shutdown(shutdown_side::receive, ec); }

  /// Sets when waits for reading end with timed_out; no_deadline means never. It applies to all
  /// waits that begin later.
  void set_read_deadline(time_point deadline) noexcept { set_deadlines(true, false, deadline); }
  /// The same for writing.
  void set_write_deadline(time_point deadline) noexcept { set_deadlines(false, true, deadline); }
  /// The same for reading and writing.
  void set_deadline(time_point deadline) noexcept { set_deadlines(true, true, deadline); }

  /// Sends `count` bytes of `file`, from `offset` on, by sendfile(2), which does not copy them
  /// through this process. Returns how many were sent: fewer only if the file ends before, or `ec`
  /// is set. A time limits the whole call.
  ///
  /// The file's own position does not change. If pages are not in memory, a thread of the offload
  /// pool fetches them while the fiber waits.
  /// Blocks: the fiber, while the peer is slower; on a plain thread, that thread.
  /// Throws: as write_all; the error of reading the file.
  /// Example: test/unit/net_send_file_test.cpp
  std::size_t send_file(int file, std::uint64_t offset, std::size_t count) {
    return checked_send_file(file, offset, count, {});
  }
  std::size_t send_file(int file, std::uint64_t offset, std::size_t count,
                        std::error_code& ec) noexcept {
    return send_file_within(file, offset, count, {}, ec);
  }
  std::size_t send_file(const std::stop_token& stop, int file, std::uint64_t offset,
                        std::size_t count) {
    return checked_send_file(file, offset, count, detail::wait_limit(stop));
  }
  std::size_t send_file(const std::stop_token& stop, int file, std::uint64_t offset,
                        std::size_t count, std::error_code& ec) noexcept {
    return send_file_within(file, offset, count, detail::wait_limit(stop), ec);
  }
  template <class Rep, class Period>
  std::size_t send_file_for(int file, std::uint64_t offset, std::size_t count,
                            const std::chrono::duration<Rep, Period>& time) {
    return checked_send_file(file, offset, count, detail::wait_limit(detail::deadline_after(time)));
  }
  template <class Rep, class Period>
  std::size_t send_file_for(int file, std::uint64_t offset, std::size_t count,
                            const std::chrono::duration<Rep, Period>& time,
                            std::error_code& ec) noexcept {
    return send_file_within(file, offset, count, detail::wait_limit(detail::deadline_after(time)),
                            ec);
  }
  template <class Clock, class Duration>
  std::size_t send_file_until(int file, std::uint64_t offset, std::size_t count,
                              const std::chrono::time_point<Clock, Duration>& t) {
    return checked_send_file(file, offset, count, detail::wait_limit(detail::to_steady(t)));
  }
  template <class Clock, class Duration>
  std::size_t send_file_until(int file, std::uint64_t offset, std::size_t count,
                              const std::chrono::time_point<Clock, Duration>& t,
                              std::error_code& ec) noexcept {
    return send_file_within(file, offset, count, detail::wait_limit(detail::to_steady(t)), ec);
  }

 protected:
  using socket::socket;
  /// A closed socket.
  stream_socket() noexcept = default;

  /// The primitive of stream_forms.
  std::size_t read_within(const mutable_buffers& to, std::size_t skip, const detail::wait_limit& l,
                          std::error_code& ec) noexcept;
  /// The primitive of stream_forms.
  std::size_t write_within(const const_buffers& from, std::size_t skip, const detail::wait_limit& l,
                           std::error_code& ec) noexcept;

 private:
  friend class stream_forms<stream_socket>;
  std::size_t send_file_within(int file, std::uint64_t offset, std::size_t count,
                               const detail::wait_limit& l, std::error_code& ec) noexcept;
  std::size_t checked_send_file(int file, std::uint64_t offset, std::size_t count,
                                const detail::wait_limit& l);
};

}  // namespace WEFT_API net
}  // namespace weft
