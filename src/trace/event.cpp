// SPDX-License-Identifier: BSL-1.0
// trace/event.cpp - the listener.
#include "trace/event.hpp"

namespace weft::detail::trace {

constinit std::atomic<sink> listener{nullptr};
constinit std::atomic<std::uint32_t> spawns_watched{0};

void set_listener(sink s) noexcept {
  listener.store(s, std::memory_order_release);  // [TRACE-1]
  if (s != nullptr)
    spawns_watched.fetch_or(spawns_for_listener, std::memory_order_relaxed);
  else
    spawns_watched.fetch_and(~std::uint32_t{spawns_for_listener}, std::memory_order_relaxed);
}

}  // namespace weft::detail::trace
