// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/channel.hpp - what the templates of a channel know of the machinery
// (src/sync/channel_core.cpp). The machinery moves elements through the functions of an
// element_type and knows nothing else about them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace WEFT_API weft {

/// How a channel operation ended.
enum class channel_status : std::uint8_t {
  /// A value was sent or received.
  success,
  /// The channel is closed; for a receiver, also drained.
  closed,
  /// The time was over.
  timeout,
  /// A stop was requested on the token.
  stopped,
};

}  // namespace WEFT_API weft

namespace weft::detail {
class channel_core;
}

namespace weft {
namespace WEFT_API detail {

/// A trivially copyable value arrives as bytes, and the receiver makes its std::optional of them in
/// registers. Other values are made in the std::optional they arrive in: one move, and one place
/// that may throw.
template <class T>
inline constexpr bool arrives_as_bytes = std::is_trivially_copyable_v<T>;

// Used if arrives_as_bytes<T>.
template <class T>
struct receive_buffer {  // for arrives_as_bytes
  alignas(T) std::byte bytes[sizeof(T)];
  [[nodiscard]] T& bytes_as_value() noexcept { return *std::launder(reinterpret_cast<T*>(bytes)); }
  [[nodiscard]] std::optional<T> value() noexcept {
    return std::optional<T>(std::in_place, std::move(bytes_as_value()));
  }
};

/// How the machinery moves values of one type. `to` is a receive_buffer or an empty std::optional.
/// If one of these functions throws, both sides are as T's move constructor left them.
struct element_type {
  std::size_t size;
  std::size_t align;
  // Eight bytes that are copied without a call.
  bool is_word;
  // From a sender's T into raw memory.
  void (*construct)(void* slot, void* from);
  // From a sender's T to a receiver.
  void (*deliver)(void* to, void* from);
  // From the buffer to a receiver; the slot is raw memory afterwards.
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
// Returns timeout if it would have to wait.
[[nodiscard]] channel_status channel_try_send(channel_core& c, void* value);
[[nodiscard]] channel_status channel_receive(channel_core& c, void* to);
[[nodiscard]] channel_status channel_receive(channel_core& c, void* to, const wait_limit& limit);
[[nodiscard]] channel_status channel_try_receive(channel_core& c, void* to);
bool channel_close(channel_core& c) noexcept;
[[nodiscard]] bool channel_closed(const channel_core& c) noexcept;
[[nodiscard]] std::size_t channel_size(const channel_core& c) noexcept;
[[nodiscard]] std::size_t channel_capacity(const channel_core& c) noexcept;

/// `receive` is one of the three functions above. `value` is empty before the call.
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

}  // namespace WEFT_API detail
}  // namespace weft
