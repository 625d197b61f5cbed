// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/top/view.hpp - two moments of a process as lines of text: what is, and what
// happened in between.

#include <string>
#include <vector>

#include <sys/types.h>

#include "top/sample.hpp"

namespace weft::tools {

struct moment {
  sample metrics;
  std::vector<waiting_fiber> longest;
};

/// Plain lines, as long as they are. Rates and latencies are of the time between the two.
[[nodiscard]] std::vector<std::string> render_top(pid_t pid, const std::string& program,
                                                  const moment& before, const moment& now);

/// At most `columns` wide (of UTF-8 characters, control characters as '?'), and `rows` of them.
[[nodiscard]] std::vector<std::string> cut_to(std::vector<std::string> lines, std::size_t columns,
                                              std::size_t rows);

}  // namespace weft::tools
