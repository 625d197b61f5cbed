// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/buffer.hpp - bytes to read into or to write from: one piece of memory, or several.
//
//   stream.write_all("HTTP/1.1 204 No Content\r\n\r\n");
//   stream.write_all({head, body});                         // one system call, one packet
//   stream.read_exactly({std::span(header), std::span(payload)});
//
// These types convert: a string literal, std::string, std::string_view, and arrays, vectors and
// spans of char, unsigned char and std::byte. A buffer refers to the memory and does not own it.
// Use the lists const_buffers and mutable_buffers only for parameters: a braced list ends with the
// call.

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>

#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

namespace weft {
namespace WEFT_API detail {

template <class T>
inline constexpr bool is_byte_like =
    std::is_same_v<T, std::byte> || std::is_same_v<T, char> || std::is_same_v<T, unsigned char>;

// A contiguous range of bytes, for std::data and std::size.
template <class R>
concept bytes_to_write = requires(R& r) {
  std::size(r);
  requires is_byte_like<std::remove_cv_t<std::remove_pointer_t<decltype(std::data(r))>>>;
};
template <class R>
concept bytes_to_fill = bytes_to_write<R> && requires(R& r) {
  requires !std::is_const_v<std::remove_pointer_t<decltype(std::data(r))>>;
};

}  // namespace WEFT_API detail
}  // namespace weft

namespace weft {
namespace WEFT_API net {

/// Memory that is read into.
class mutable_buffer {
 public:
  /// No memory.
  constexpr mutable_buffer() noexcept = default;
  /// `size` bytes from `data` on.
  constexpr mutable_buffer(void* data, std::size_t size) noexcept : data_(data), size_(size) {}
  /// The bytes of an array, a vector or another contiguous range.
  template <detail::bytes_to_fill R>
  constexpr mutable_buffer(R&& r) noexcept : data_(std::data(r)), size_(std::size(r)) {}

  /// The first byte.
  [[nodiscard]] constexpr void* data() const noexcept { return data_; }
  /// The number of bytes.
  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Memory that is written from. The closing null character of a string literal does not belong to
/// it; of any other array every element does.
class const_buffer {
 public:
  /// No memory.
  constexpr const_buffer() noexcept = default;
  /// `size` bytes from `data` on.
  constexpr const_buffer(const void* data, std::size_t size) noexcept : data_(data), size_(size) {}
  /// The same memory.
  constexpr const_buffer(mutable_buffer b) noexcept : data_(b.data()), size_(b.size()) {}
  /// A string literal.
  template <std::size_t N>
  constexpr const_buffer(const char (&text)[N]) noexcept
      : data_(text), size_(text[N - 1] == '\0' ? N - 1 : N) {}
  /// The bytes of a string, an array, a vector or another contiguous range.
  template <detail::bytes_to_write R>
  constexpr const_buffer(R&& r) noexcept : data_(std::data(r)), size_(std::size(r)) {}

  /// The first byte.
  [[nodiscard]] constexpr const void* data() const noexcept { return data_; }
  /// The number of bytes.
  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

 private:
  const void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// One buffer, or several in a row: what a read or a write takes. Only for parameters.
template <class Buffer>
class buffer_list {
  using pointer = std::conditional_t<std::is_same_v<Buffer, const_buffer>, const void*, void*>;
  template <class R>
  static constexpr bool is_list = requires(const R& r) {
    std::size(r);
    requires std::is_same_v<std::remove_cv_t<std::remove_pointer_t<decltype(std::data(r))>>,
                            Buffer>;
  };

 public:
  /// One buffer of `size` bytes.
  constexpr buffer_list(pointer data, std::size_t size) noexcept : one_(data, size) {}
  /// One buffer.
  template <class B>
    requires(std::is_convertible_v<B, Buffer> &&
             !std::is_base_of_v<buffer_list, std::remove_cvref_t<B>>)
  constexpr buffer_list(B&& b) noexcept : one_(static_cast<B&&>(b)) {}
  /// Several buffers, as in `{head, body}`.
  constexpr buffer_list(std::initializer_list<Buffer> list) noexcept
      : several_(std::data(list)), count_(list.size()) {}
  /// Several buffers, from a vector, an array or a span of them.
  template <class R>
    requires(is_list<R> && !std::is_same_v<R, std::initializer_list<Buffer>>)
  constexpr buffer_list(const R& r) noexcept : several_(std::data(r)), count_(std::size(r)) {}
  buffer_list(const buffer_list&) = delete;
  buffer_list& operator=(const buffer_list&) = delete;

  /// The number of buffers.
  [[nodiscard]] constexpr std::size_t size() const noexcept { return count_; }
  /// The first buffer.
  [[nodiscard]] constexpr const Buffer* begin() const noexcept {
    return several_ != nullptr ? several_ : &one_;
  }
  /// The end of the buffers.
  [[nodiscard]] constexpr const Buffer* end() const noexcept { return begin() + count_; }
  /// The first buffer.
  [[nodiscard]] constexpr const Buffer& front() const noexcept { return *begin(); }
  /// The number of bytes in all buffers.
  [[nodiscard]] constexpr std::size_t bytes() const noexcept {
    std::size_t n = 0;
    for (const Buffer& b : *this) n += b.size();
    return n;
  }

 private:
  Buffer one_;
  const Buffer* several_ = nullptr;
  std::size_t count_ = 1;
};

/// What a write takes.
using const_buffers = buffer_list<const_buffer>;
/// What a read takes.
using mutable_buffers = buffer_list<mutable_buffer>;

}  // namespace WEFT_API net
}  // namespace weft
