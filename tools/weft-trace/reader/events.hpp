// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/events.hpp - the batches of a file become events; what the writer left
// out is put in.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "reader/reader.hpp"

namespace weft::tools {

struct batch_key {
  std::uint32_t ring, incarnation, sequence;
  auto operator<=>(const batch_key&) const = default;
};
// payloads, at least a batch_header long
using batches = std::map<batch_key, std::span<const std::byte>>;
// by (ring, incarnation)
using thread_table = std::map<std::pair<std::uint32_t, std::uint32_t>, trace_thread>;

/// Said by the table of those that run: at that time, on the thread with that number.
struct running_fiber {
  std::uint64_t ticks = 0, fiber = 0;
  std::int32_t thread = 0;
};

/// Appends to the trace's events, thread by thread in their order, its threads, texts and problems.
void read_events(trace& t, const batches& all, const thread_table& known,
                 const std::vector<running_fiber>& running,
                 const std::function<std::int64_t(std::uint64_t)>& to_ns);

}  // namespace weft::tools
