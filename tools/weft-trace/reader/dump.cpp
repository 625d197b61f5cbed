// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/dump.cpp - see the header. The words come from the trace's own
// dictionary, so newer events have theirs.
#include "reader/dump.hpp"

#include <fmt/format.h>

#include "base/one_line.hpp"

namespace weft::tools {
namespace {

std::string value_text(const trace& t, const std::string& meaning, std::uint64_t v) {
  if (meaning == "reason") return t.reason(v);
  if (meaning == "object" || meaning == "job") return fmt::format("{:#x}", v);
  if (meaning == "spawned at") {
    const auto place = t.places.find(v);
    return place != t.places.end() ? fmt::format("{:#x}", place->second) : "?";
  }
  return std::to_string(v);
}

}  // namespace

std::string describe(const trace& t, const trace_event& e) {
  const trace_thread& thread = t.threads[e.thread];
  std::string line = fmt::format("{:>18.9f} {:<16} {:<15}", static_cast<double>(e.ns) * 1e-9,
                                 detail::one_line(thread.name), t.event_name(e.id));
  const auto found = t.meanings.find(e.id);
  const event_meaning unknown{"", {"fiber", "number", "other"}};
  const event_meaning& m = found != t.meanings.end() ? found->second : unknown;
  const std::uint64_t values[] = {e.fiber, e.number, e.other};
  for (int i = 0; i < 3; ++i) {
    if (m.values[i] == "-") continue;
    if (m.values[i] == "stack")
      line += fmt::format("  {} bytes of registers and stack", e.number);
    else if (i == 1 && e.id >= detail::trace::first_text_id)
      line += fmt::format("  \"{}\"", detail::one_line(t.texts[e.text]));
    else
      line += fmt::format("  {} {}", m.values[i], value_text(t, m.values[i], values[i]));
  }
  return line;
}

}  // namespace weft::tools
