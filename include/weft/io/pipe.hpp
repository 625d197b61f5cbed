// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/io/pipe.hpp - one end of a pipe as a stream (weft/net/stream.hpp): reads or writes that park
// the fiber, with deadlines and several buffers in one call. Also for FIFOs and terminals.

#include <chrono>
#include <cstddef>
#include <system_error>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/io/descriptor.hpp>
#include <weft/net/stream.hpp>

namespace weft {
namespace WEFT_API io {

/// One end of a pipe. Move-only. The destructor closes it: the other end then reads the end of the
/// stream, or fails with broken_pipe. SIGPIPE is never raised.
///
/// Deadlines, a stop request on the fiber and a close only end waits: a call that can proceed does
/// so. Errors are those of weft::net: timed_out, operation_canceled, bad_file_descriptor,
/// broken_pipe.
/// Example: test/unit/examples_api_test.cpp [pipe]
/// ```
///     weft::io::pipe_pair ends = weft::io::make_pipe();
///     auto writer = weft::spawn([&] { ends.write.write_all("through a pipe"); });
///     std::array<std::byte, 64> text;
///     const std::size_t n = ends.read.read_some(text);
///     writer.join();
/// ```
class pipe_end : public net::stream_forms<pipe_end> {
 public:
  /// The type of deadlines.
  using time_point = descriptor::time_point;
  /// The deadline that never comes.
  static constexpr time_point no_deadline = descriptor::no_deadline;

  /// No pipe: every operation fails with bad_file_descriptor.
  pipe_end() noexcept = default;
  /// Takes over an end of a pipe, a FIFO or a terminal, and makes it non-blocking. That also
  /// applies to other processes that have it open.
  /// Throws: std::system_error; the number is still the caller's then.
  [[nodiscard]] static pipe_end adopt(int number);
  pipe_end(pipe_end&&) noexcept = default;
  pipe_end& operator=(pipe_end&&) noexcept = default;

  /// True until close() or release().
  [[nodiscard]] bool is_open() const noexcept { return watched_.is_open(); }
  /// Closes it, as net::socket::close.
  void close() noexcept { watched_.close(); }
  /// The kernel's number; -1 if closed.
  [[nodiscard]] int native_handle() const noexcept { return watched_.native_handle(); }
  /// Gives up the number, which is non-blocking, and returns it; -1 if it was closed already.
  [[nodiscard]] int release() noexcept { return watched_.release(); }
  /// For weft::on_readable and on_writable.
  [[nodiscard]] const descriptor& watched() const noexcept { return watched_; }

  /// Sets when waits for reading end with timed_out. It applies to all waits that begin later. No
  /// other fiber may be inside a call meanwhile.
  void set_read_deadline(time_point deadline) noexcept { deadlines_[0] = deadline; }
  /// The same for writing.
  void set_write_deadline(time_point deadline) noexcept { deadlines_[1] = deadline; }
  /// The same for both.
  void set_deadline(time_point deadline) noexcept { deadlines_[0] = deadlines_[1] = deadline; }
  /// Closes it, because a pipe has one direction.
  void shutdown_send(std::error_code& ec) noexcept {
    ec.clear();
    close();
  }

 private:
  friend class net::stream_forms<pipe_end>;
  explicit pipe_end(descriptor d) noexcept : watched_(std::move(d)) {}
  std::size_t read_within(const net::mutable_buffers& to, std::size_t skip,
                          const detail::wait_limit& l, std::error_code& ec) noexcept;
  std::size_t write_within(const net::const_buffers& from, std::size_t skip,
                           const detail::wait_limit& l, std::error_code& ec) noexcept;
  [[noreturn]] void fail(const char* what, std::error_code why) const;

  descriptor watched_;
  time_point deadlines_[2] = {no_deadline, no_deadline};
};

/// Both ends of a new pipe, close-on-exec.
struct pipe_pair {
  /// The end to read from.
  pipe_end read;
  /// The end to write to.
  pipe_end write;
};
/// Makes a pipe.
/// Throws: std::system_error with too_many_files_open.
/// Example: test/unit/io_pipe_test.cpp
[[nodiscard]] pipe_pair make_pipe();

}  // namespace WEFT_API io
}  // namespace weft
