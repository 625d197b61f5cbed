// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/event.hpp - the enum of events.def, and the one branch an event costs while nobody listens.

#include <atomic>
#include <cstdint>

namespace weft::detail::trace {

enum class event : std::uint8_t {
#define WEFT_EVENT(id, name, first, second) name = id,
#include "trace/events.def"
#undef WEFT_EVENT
};

[[nodiscard]] constexpr const char* to_text(event e) noexcept {
  switch (e) {
#define WEFT_EVENT(id, name, first, second) \
  case event::name:                         \
    return #name;
#include "trace/events.def"
#undef WEFT_EVENT
  }
  return "unknown event";
}

/// Called on the thread where it happens, inside the scheduler: atomics and stores only.
using sink = void (*)(event e, std::uint64_t first, std::uint64_t second) noexcept;

// Null: nobody listens. Release store by whoever starts listening, acquire load in emit [TRACE-1].
extern constinit std::atomic<sink> listener;

inline void emit(event e, std::uint64_t first, std::uint64_t second = 0) noexcept {
  if (const sink s = listener.load(std::memory_order_acquire)) [[unlikely]]  // [TRACE-1]
    s(e, first, second);
}

}  // namespace weft::detail::trace
