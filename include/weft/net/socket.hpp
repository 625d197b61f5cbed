// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/socket.hpp - what listeners and streams have in common: one owner, deadlines, closing.

#include <chrono>
#include <cstddef>
#include <system_error>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/net/endpoint.hpp>

namespace weft::detail {
struct poll_descriptor;
}

namespace weft {
namespace WEFT_API net {

/// Owns one socket. Move-only; the destructor closes it.
///
/// Every operation may be called from fibers of any runtime and from plain threads, also from
/// several at the same time. Only destroying, moving and assigning need the object for themselves.
class socket {
 public:
  /// The type of deadlines.
  using time_point = std::chrono::steady_clock::time_point;
  /// The deadline that never comes.
  static constexpr time_point no_deadline = time_point::max();

  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;

  /// True until it is closed, released or moved from.
  [[nodiscard]] bool is_open() const noexcept;

  /// Closes the socket. Operations under way end with operation_canceled; later ones fail with
  /// bad_file_descriptor. Closing it twice is no error.
  ///
  /// The kernel's descriptor is closed when the last operation has left it; at once, if there is
  /// none.
  /// Blocks: never.
  /// Orders: before the failure it causes.
  /// Example: test/unit/net_close_test.cpp
  void close() noexcept;
  /// For weft's own templates.
  [[nodiscard]] detail::poll_descriptor* native_descriptor() const noexcept { return descriptor_; }

  /// The kernel's descriptor, which this object still owns; -1 if closed. It is non-blocking and
  /// must stay so.
  [[nodiscard]] int native_handle() const noexcept;
  /// Gives up the kernel's descriptor, which is non-blocking, and returns it; -1 if it was closed
  /// already. The object is closed afterwards. Waits under way end with operation_canceled, but no
  /// system call may be under way: it would go on with a descriptor that is the caller's now.
  [[nodiscard]] int release() noexcept;

  /// The address of this end.
  /// Throws: std::system_error.
  [[nodiscard]] endpoint local_endpoint() const;
  [[nodiscard]] endpoint local_endpoint(std::error_code& ec) const noexcept;

  /// Sets how many bytes the kernel buffers for sending.
  ///
  /// The kernel doubles the number for its own book-keeping and limits it to net.core.wmem_max
  /// (rmem_max for receiving). For TCP this also ends the kernel's own tuning of that buffer. If it
  /// is to bound the window, set it before connecting, or on the listener.
  /// Throws: std::system_error.
  void set_send_buffer(std::size_t bytes);
  /// Sets how many bytes the kernel buffers for receiving. Otherwise as set_send_buffer.
  void set_receive_buffer(std::size_t bytes);

 protected:
  /// A closed socket.
  socket() noexcept = default;
  /// For weft's own sockets, as all below.
  explicit socket(detail::poll_descriptor& d) noexcept : descriptor_(&d) {}
  /// Takes over `other`, which is closed afterwards.
  socket(socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  /// Closes this socket and takes over `other`.
  socket& operator=(socket&& other) noexcept {
    if (this != &other) {
      drop();
      descriptor_ = std::exchange(other.descriptor_, nullptr);
    }
    return *this;
  }
  /// Closes the socket.
  ~socket() { drop(); }

  /// Sets the deadline of reads, of writes, or of both.
  void set_deadlines(bool reads, bool writes, time_point deadline) noexcept;
  /// For weft's own sockets.
  [[nodiscard]] detail::poll_descriptor* descriptor() const noexcept { return descriptor_; }
  /// Throws std::system_error with a text that names the operation and both ends.
  [[noreturn]] void fail(const char* operation, std::error_code why) const;
  /// Throws as fail() unless `result` is 0; otherwise it is -errno.
  void check(const char* operation, int result) const;

 private:
  void drop() noexcept;

  detail::poll_descriptor* descriptor_ = nullptr;
};

}  // namespace WEFT_API net
}  // namespace weft
