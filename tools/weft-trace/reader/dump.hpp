// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/dump.hpp - a trace as text, an event a line: for tests, and for eyes.

#include <string>

#include "reader/reader.hpp"

namespace weft::tools {

/// "     12.345678 weft-0           fiber_park      fiber 7  reason mutex  object 0x7f..."
[[nodiscard]] std::string describe(const trace& t, const trace_event& e);

}  // namespace weft::tools
