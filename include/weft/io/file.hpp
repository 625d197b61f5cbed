// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/io/file.hpp - regular files. They are always ready and yet block, so a thread of the offload
// pool makes the calls while the fiber waits.
//
//   const weft::io::file log("app.log", O_WRONLY | O_CREAT | O_CLOEXEC);
//   log.write_at("started\n", log.size());
//   log.sync();
//
// What the page cache holds is read at once, without another thread. Every call that can fail has a
// form that takes a std::error_code& and one that throws std::system_error with the path.

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/net/buffer.hpp>

namespace weft::detail {
struct poll_descriptor;
}

namespace weft {
namespace WEFT_API io {

/// An open file, read and written at given offsets. Move-only. The destructor closes.
///
/// Several fibers and threads may use it at the same time; only destroying, moving and assigning
/// need the object for themselves. On a plain thread the calls block that thread.
class file {
 public:
  /// No file: every operation fails with bad_file_descriptor.
  file() noexcept = default;
  /// Opens `path` with the flags and the mode of open(2); O_CLOEXEC is added.
  ///
  /// Blocks: the fiber.
  /// Throws: std::system_error: no_such_file_or_directory, permission_denied, file_exists,
  /// too_many_files_open, ..., with the path; invalid_argument if the path has a zero byte.
  /// Example: test/unit/examples_waiting_test.cpp [file]
  /// ```
  ///   weft::io::file numbers(path, O_RDWR | O_CREAT | O_TRUNC);
  ///   numbers.write_at("one two three", 0);
  ///   char word[3];
  ///   const std::size_t n = numbers.read_at(word, 4);
  /// ```
  file(const std::string& path, int flags, unsigned mode = 0666);
  /// As the constructor; sets `ec` instead of throwing.
  [[nodiscard]] static file open(const std::string& path, int flags, unsigned mode,
                                 std::error_code& ec) noexcept;
  /// Takes over an open descriptor of a regular file or a block device.
  /// Throws: std::system_error: bad_file_descriptor; not_supported for anything else, which
  /// weft::io::descriptor or weft::net waits for. The descriptor is still the caller's then.
  [[nodiscard]] static file adopt(int number);

  file(file&& other) noexcept
      : d_(std::exchange(other.d_, nullptr)), path_(std::move(other.path_)) {}
  file& operator=(file&& other) noexcept {
    if (this != &other) {
      drop();
      d_ = std::exchange(other.d_, nullptr);
      path_ = std::move(other.path_);
    }
    return *this;
  }
  ~file() { drop(); }

  /// True until close() or release().
  [[nodiscard]] bool is_open() const noexcept;
  /// Closes the file. Later calls fail with bad_file_descriptor. Calls under way complete, and the
  /// last one closes the kernel's descriptor. If only close(2) reports an error of writing, it is
  /// lost: call sync before.
  void close() noexcept;
  /// The kernel's descriptor, which this object still owns; -1 if closed.
  [[nodiscard]] int native_handle() const noexcept;
  /// Gives up the descriptor and returns it; -1 if it was closed already. The object is closed
  /// afterwards. No call may be under way: it would go on with a descriptor that is yours now.
  [[nodiscard]] int release() noexcept;

  /// Reads from `offset` on until the buffers are full or the file ends. Returns how many bytes
  /// were read.
  ///
  /// Blocks: the fiber, unless the bytes are in the page cache.
  /// Throws: std::system_error.
  [[nodiscard]] std::size_t read_at(const net::mutable_buffers& to, std::uint64_t offset) const;
  [[nodiscard]] std::size_t read_at(const net::mutable_buffers& to, std::uint64_t offset,
                                    std::error_code& ec) const noexcept;
  /// Writes everything from `offset` on. The form with `ec` returns how many bytes were written:
  /// all of them, unless `ec` is set.
  ///
  /// Blocks: the fiber.
  /// Throws: std::system_error: no_space_on_device, file_too_large, ...
  void write_at(const net::const_buffers& from, std::uint64_t offset) const;
  std::size_t write_at(const net::const_buffers& from, std::uint64_t offset,
                       std::error_code& ec) const noexcept;

  /// The size in bytes.
  /// Blocks: the fiber.
  /// Throws: std::system_error.
  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] std::uint64_t size(std::error_code& ec) const noexcept;
  /// Cuts the file, or extends it by zeros.
  /// Blocks: the fiber.
  /// Throws: std::system_error.
  void resize(std::uint64_t size) const;
  void resize(std::uint64_t size, std::error_code& ec) const noexcept;
  /// Waits until everything written is on the device: fsync(2).
  ///
  /// Blocks: the fiber.
  /// Throws: std::system_error: io_error, no_space_on_device. It is unknown then which writes are
  /// lost, and a second call may succeed.
  void sync() const;
  void sync(std::error_code& ec) const noexcept;
  /// The same, without metadata that reading does not need, such as times: fdatasync(2).
  void sync_data() const;
  void sync_data(std::error_code& ec) const noexcept;

 private:
  [[noreturn]] void fail(const char* what, std::error_code why) const;
  void drop() noexcept;

  detail::poll_descriptor* d_ = nullptr;
  std::string path_;
};

}  // namespace WEFT_API io
}  // namespace weft
