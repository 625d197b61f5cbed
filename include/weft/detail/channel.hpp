// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/channel.hpp - what a channel's templates know of the machinery (src/sync/channel_core.cpp), which moves
// elements through the functions of an element_type and knows nothing else about them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <weft/detail/waiting.hpp>

namespace weft {

/// How a channel operation ended.
enum class channel_status : std::uint8_t {
  success,
  closed,   // and, for a receiver, drained
  timeout,
  stopped,  // a stop was requested on the token
};

}  // namespace weft

namespace weft::detail {

class channel_core;

/// Those that may throw leave both sides as T's move constructor leaves them.
struct element_type {
  std::size_t size;
  std::size_t align;
  void (*construct)(void* slot, void* from);         // from a sender's T into raw memory
  void (*deliver)(void* optional, void* from);       // from a sender's T into a receiver's empty optional
  void (*take)(void* optional, void* slot);          // from the buffer into a receiver's optional; the slot is raw then
  void (*destroy)(void* slot) noexcept;
};

template <class T>
inline constexpr element_type element_type_of{
    sizeof(T), alignof(T),
    [](void* slot, void* from) { ::new (slot) T(std::move(*static_cast<T*>(from))); },
    [](void* optional, void* from) {
      static_cast<std::optional<T>*>(optional)->emplace(std::move(*static_cast<T*>(from)));
    },
    [](void* optional, void* slot) {
      static_cast<std::optional<T>*>(optional)->emplace(std::move(*static_cast<T*>(slot)));
      std::destroy_at(static_cast<T*>(slot));
    },
    [](void* slot) noexcept { std::destroy_at(static_cast<T*>(slot)); }};

/// Throws std::bad_alloc, std::length_error.
[[nodiscard]] channel_core* make_channel(const element_type& type, std::size_t capacity);
void destroy_channel(channel_core* c) noexcept;

[[nodiscard]] channel_status channel_send(channel_core& c, void* value);
[[nodiscard]] channel_status channel_send(channel_core& c, void* value, const wait_limit& limit);
[[nodiscard]] channel_status channel_try_send(channel_core& c, void* value);  // timeout: it would have to wait
[[nodiscard]] channel_status channel_receive(channel_core& c, void* optional);
[[nodiscard]] channel_status channel_receive(channel_core& c, void* optional, const wait_limit& limit);
[[nodiscard]] channel_status channel_try_receive(channel_core& c, void* optional);
bool channel_close(channel_core& c) noexcept;
[[nodiscard]] bool channel_closed(const channel_core& c) noexcept;
[[nodiscard]] std::size_t channel_size(const channel_core& c) noexcept;
[[nodiscard]] std::size_t channel_capacity(const channel_core& c) noexcept;

}  // namespace weft::detail
