// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/channel.hpp - what a channel's templates know of the machinery
// (src/sync/channel_core.cpp), which moves elements through the functions of an element_type and
// knows nothing else about them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <weft/detail/waiting.hpp>

namespace weft {

/// How a channel operation ended.
enum class channel_status : std::uint8_t {
  success,
  closed,  // and, for a receiver, drained
  timeout,
  stopped,  // a stop was requested on the token
};

}  // namespace weft

namespace weft::detail {

class channel_core;

/// A value that is its bytes arrives as bytes, and the receiver makes its std::optional of them, in
/// registers. Others are made in the std::optional they arrive in: one move, and one chance to
/// throw.
template <class T>
inline constexpr bool arrives_as_bytes = std::is_trivially_copyable_v<T>;

template <class T>
struct receive_buffer {  // for arrives_as_bytes
  alignas(T) std::byte bytes[sizeof(T)];
  [[nodiscard]] T& bytes_as_value() noexcept { return *std::launder(reinterpret_cast<T*>(bytes)); }
  [[nodiscard]] std::optional<T> value() noexcept {
    return std::optional<T>(std::in_place, std::move(bytes_as_value()));
  }
};

/// `to`: a receive_buffer or an empty std::optional. Those that may throw leave both sides as T's
/// move constructor leaves them.
struct element_type {
  std::size_t size;
  std::size_t align;
  bool is_word;                               // eight bytes, copied without asking
  void (*construct)(void* slot, void* from);  // from a sender's T into raw memory
  void (*deliver)(void* to, void* from);      // from a sender's T to a receiver
  // from the buffer to a receiver; the slot is raw then
  void (*take)(void* to, void* slot);
  void (*destroy)(void* slot) noexcept;
};

template <class T>
void construct_at(void* slot, void* from) {
  ::new (slot) T(std::move(*static_cast<T*>(from)));
}
template <class T>
void deliver_to(void* to, void* from) {
  if constexpr (arrives_as_bytes<T>)
    construct_at<T>(to, from);
  else
    static_cast<std::optional<T>*>(to)->emplace(std::move(*static_cast<T*>(from)));
}

template <class T>
inline constexpr element_type element_type_of{
    sizeof(T),
    alignof(T),
    arrives_as_bytes<T> && sizeof(T) == sizeof(std::uint64_t),
    &construct_at<T>,
    &deliver_to<T>,
    [](void* to, void* slot) {
      deliver_to<T>(to, slot);
      std::destroy_at(static_cast<T*>(slot));
    },
    [](void* slot) noexcept { std::destroy_at(static_cast<T*>(slot)); }};

/// Throws std::bad_alloc, std::length_error.
[[nodiscard]] channel_core* make_channel(const element_type& type, std::size_t capacity);
void destroy_channel(channel_core* c) noexcept;

[[nodiscard]] channel_status channel_send(channel_core& c, void* value);
[[nodiscard]] channel_status channel_send(channel_core& c, void* value, const wait_limit& limit);
// timeout: it would have to wait
[[nodiscard]] channel_status channel_try_send(channel_core& c, void* value);
[[nodiscard]] channel_status channel_receive(channel_core& c, void* to);
[[nodiscard]] channel_status channel_receive(channel_core& c, void* to, const wait_limit& limit);
[[nodiscard]] channel_status channel_try_receive(channel_core& c, void* to);
bool channel_close(channel_core& c) noexcept;
[[nodiscard]] bool channel_closed(const channel_core& c) noexcept;
[[nodiscard]] std::size_t channel_size(const channel_core& c) noexcept;
[[nodiscard]] std::size_t channel_capacity(const channel_core& c) noexcept;

/// receive(to) is one of the three above. `value` is empty before.
template <class T, class Receive>
[[nodiscard]] channel_status receive_into(std::optional<T>& value, Receive&& receive) {
  if constexpr (arrives_as_bytes<T>) {
    receive_buffer<T> place;
    const channel_status end = receive(static_cast<void*>(std::addressof(place)));
    if (end == channel_status::success) value.emplace(std::move(place.bytes_as_value()));
    return end;
  } else {
    return receive(static_cast<void*>(std::addressof(value)));
  }
}

}  // namespace weft::detail
