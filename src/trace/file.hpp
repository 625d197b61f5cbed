// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/file.hpp - writes a trace file. No allocation and no lock: the handler of a crash writes
// one, too.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "trace/ring.hpp"

namespace weft::detail::trace {

/// Looks again at what is mapped. Takes the dynamic linker's lock: not in a crash.
void refresh_modules() noexcept;

/// One file being written. An error is kept; after it nothing more is written.
class trace_file {
 public:
  constexpr trace_file() = default;
  trace_file(const trace_file&) = delete;
  trace_file& operator=(const trace_file&) = delete;

  /// Makes or empties the file. 0, or an errno; EBUSY: another process writes it. AS-safe, as
  /// everything here.
  [[nodiscard]] int open(const char* path) noexcept;
  [[nodiscard]] int close() noexcept;  // 0, or the first error there was
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  void header(std::uint32_t flags) noexcept;
  void generation(std::uint64_t number) noexcept;
  // ring.hpp, published
  void batch(const batch_header& h, std::span<const std::byte> events,
             std::uint32_t more = 0) noexcept;
  void dictionary() noexcept;
  void threads() noexcept;
  void places() noexcept;
  void modules() noexcept;  // as of the last refresh_modules
  void end() noexcept;

  // ---- tables, entry by entry: begin; entry, values...; flush
  void begin_table(chunk_kind kind) noexcept;
  void entry() noexcept;  // what follows stays together
  void varint(std::uint64_t v) noexcept;
  void byte(std::uint8_t v) noexcept;
  void text(std::string_view t) noexcept;  // cut to longest_text
  void end_table() noexcept;

 private:
  using bytes = std::span<const std::byte>;
  void chunk(chunk_kind kind, bytes first, bytes second = {}, bytes third = {}) noexcept;
  void write_all(std::span<const std::byte> bytes) noexcept;

  static constexpr std::size_t table_bytes = 32 * 1024, entry_bytes = 8 * 1024;
  int fd_ = -1;
  int error_ = 0;
  std::uint64_t size_ = 0;
  chunk_kind kind_{};
  std::size_t used_ = 0;
  std::array<std::byte, table_bytes> table_{};
};

}  // namespace weft::detail::trace
