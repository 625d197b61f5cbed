// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/top/view.hpp - two moments of a process as lines of text: what is, and what
// happened in between.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "top/sample.hpp"

namespace weft::tools {

struct moment {
  sample metrics;
  std::vector<waiting_fiber> longest;
};

enum class wait_order : std::uint8_t { time, reason, fiber, function };
enum class processor_order : std::uint8_t { number, load, queue, steps };

struct view_options {
  wait_order waits = wait_order::time;
  processor_order processors = processor_order::number;
  std::size_t selected = 0;  // of the waits, as they are in order
  bool has_keys = false;     // says which there are, and marks the one selected
  // Of the screen: as many processors are shown as leave room for the waits; 0: all.
  std::size_t rows = 0;
};

/// In this order; those of equal rank, the longest first.
void sort_waits(std::vector<waiting_fiber>& waits, wait_order by);

/// Plain lines, as long as they are. Rates and latencies are of the time between the two.
[[nodiscard]] std::vector<std::string> render_top(pid_t pid, const std::string& program,
                                                  const moment& before, const moment& now,
                                                  const view_options& o = {});
/// What a process says of one fiber.
[[nodiscard]] std::vector<std::string> render_fiber(pid_t pid, const std::string& program,
                                                    const std::string& text);

/// At most `columns` wide (of UTF-8 characters, control characters as '?'), and `rows` of them.
[[nodiscard]] std::vector<std::string> cut_to(std::vector<std::string> lines, std::size_t columns,
                                              std::size_t rows);

}  // namespace weft::tools
