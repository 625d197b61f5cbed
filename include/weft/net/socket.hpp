// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/socket.hpp - what listeners and streams have in common: one owner, deadlines, closing.

#include <chrono>
#include <cstddef>
#include <system_error>
#include <utility>

#include <weft/net/endpoint.hpp>

namespace weft::detail {
struct poll_descriptor;
}

namespace weft::net {

/// The owner of one socket. Move-only; the destructor closes.
///
/// Every operation may be called from fibers and from plain threads, and from several at the same
/// time; only destroying, moving and assigning need the object for themselves. Fibers of any
/// runtime may use it.
class socket {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr time_point no_deadline = time_point::max();

  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;

  [[nodiscard]] bool is_open() const noexcept;
  /// Ends operations under way with operation_canceled; later ones fail with bad_file_descriptor.
  /// Closing twice is no error. The kernel's descriptor is closed when the last operation has left
  /// it: at once, if there is none.
  ///
  /// Blocks: never.   Orders: before the failure it causes.   Example: test/unit/net_close_test.cpp
  void close() noexcept;
  // For weft::select only.
  [[nodiscard]] detail::poll_descriptor* native_descriptor() const noexcept { return descriptor_; }

  /// The kernel's descriptor, still owned by this object; -1 if closed. It is non-blocking, and
  /// must stay so.
  [[nodiscard]] int native_handle() const noexcept;
  /// Gives the descriptor away, non-blocking; this object is closed afterwards. -1 if it was closed
  /// already.
  [[nodiscard]] int release() noexcept;

  /// The address of this end. Throws: std::system_error.
  [[nodiscard]] endpoint local_endpoint() const;
  [[nodiscard]] endpoint local_endpoint(std::error_code& ec) const noexcept;

  /// How much the kernel keeps for this socket, in bytes; it doubles the number for its own
  /// book-keeping and cuts it to net.core.wmem_max and rmem_max. For TCP this also ends the
  /// kernel's own tuning of that buffer; set it before connecting, or on the listener, if it is to
  /// bound the window. Throws: std::system_error.
  void set_send_buffer(std::size_t bytes);
  void set_receive_buffer(std::size_t bytes);

 protected:
  socket() noexcept = default;
  explicit socket(detail::poll_descriptor& d) noexcept : descriptor_(&d) {}
  socket(socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  socket& operator=(socket&& other) noexcept {
    if (this != &other) {
      drop();
      descriptor_ = std::exchange(other.descriptor_, nullptr);
    }
    return *this;
  }
  ~socket() { drop(); }

  void set_deadlines(bool reads, bool writes, time_point deadline) noexcept;
  [[nodiscard]] detail::poll_descriptor* descriptor() const noexcept { return descriptor_; }
  [[noreturn]] void fail(const char* operation, std::error_code why) const;
  /// Throws for what is not 0: -errno.
  void check(const char* operation, int result) const;

 private:
  void drop() noexcept;

  detail::poll_descriptor* descriptor_ = nullptr;
};

}  // namespace weft::net
