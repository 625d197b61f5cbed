// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/event.hpp - the enum of events.def, and the one branch that an event costs while nothing
// records.

#include <atomic>
#include <cstdint>
#include <string_view>

namespace weft::detail::trace {

enum class event : std::uint8_t {
#define WEFT_EVENT(id, name, fiber, number, other) name = id,
#include "trace/events.def"
#undef WEFT_EVENT
};

[[nodiscard]] constexpr const char* to_text(event e) noexcept {
  switch (e) {
#define WEFT_EVENT(id, name, fiber, number, other) \
  case event::name:                                \
    return #name;
#include "trace/events.def"
#undef WEFT_EVENT
  }
  return "unknown event";
}

/// True if the number is the length of a text.
[[nodiscard]] constexpr bool carries_text(event e) noexcept {
  return static_cast<std::uint8_t>(e) >= 192;
}

/// When it happened: now, or in the same moment as the thread's event before, which saves a look at
/// the clock.
enum class when : std::uint8_t { now, at_once };

/// Called on the thread where it happens, inside the scheduler: atomics and stores only. The other
/// of an event with a text is where the text stands.
using sink = void (*)(event e, when time, std::uint64_t fiber, std::uint64_t number,
                      std::uint64_t other) noexcept;

// Null: there is no listener. Release store when one starts, acquire load in emit [TRACE-1].
extern constinit std::atomic<sink> listener;

/// The listeners of spawns, as bits: the spawn's one branch. relaxed: the tracer reads the listener
/// again; the profiler may miss some.
enum : std::uint32_t { spawns_for_listener = 1, spawns_for_profiler = 2 };
extern constinit std::atomic<std::uint32_t> spawns_watched;

/// Begins or ends listening. AS-safe.
void set_listener(sink s) noexcept;

[[gnu::always_inline]] inline void emit(event e, when time, std::uint64_t fiber,
                                        std::uint64_t number, std::uint64_t other) noexcept {
  if (const sink s = listener.load(std::memory_order_acquire)) [[unlikely]]  // [TRACE-1]
    s(e, time, fiber, number, other);
}
[[gnu::always_inline]] inline void emit(event e, std::uint64_t fiber, std::uint64_t number = 0,
                                        std::uint64_t other = 0) noexcept {
  emit(e, when::now, fiber, number, other);
}
/// The same moment as the event before on this thread.
[[gnu::always_inline]] inline void emit_at_once(event e, std::uint64_t fiber,
                                                std::uint64_t number = 0) noexcept {
  emit(e, when::at_once, fiber, number, 0);
}

/// fiber_end, which every fiber has, by a shorter way to the recorder; for fiber_create see
/// recorder.hpp.
void record_end(std::uint64_t fiber) noexcept;
[[gnu::always_inline]] inline void emit_end(std::uint64_t fiber) noexcept {
  // [TRACE-1]
  if (listener.load(std::memory_order_acquire) != nullptr) [[unlikely]]
    record_end(fiber);
}
inline void emit_text(event e, std::uint64_t fiber, std::string_view text) noexcept {
  emit(e, fiber, text.size(), reinterpret_cast<std::uintptr_t>(text.data()));
}
/// What the listener needs is there: for callers of the recorder by name.
[[nodiscard]] inline bool listened_to_for_sure() noexcept {
  return listener.load(std::memory_order_acquire) != nullptr;  // [TRACE-1]
}
[[nodiscard]] inline bool listened_to() noexcept {
  return listener.load(std::memory_order_relaxed) != nullptr;  // relaxed: a hint; emit looks again
}

}  // namespace weft::detail::trace
