// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/contention.hpp - what fibers waited for, object by object: how long, how
// many at once, who let them go on, and, of a lock, what its holder did meanwhile.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reader/model.hpp"

namespace weft::tools {

struct waited_for {
  std::uint8_t reason = 0;
  std::uint64_t object = 0;
  std::size_t waits = 0, most_at_once = 0, never_over = 0;
  std::int64_t total = 0;
  // fibers, none: a timer, the poller, a thread
  std::map<std::uint32_t, std::size_t> ended_by;
  // of a lock: ns, by what the one who gave it up did while it was waited for
  std::map<std::string, std::int64_t> holder;
};

/// By total time, longest first. Waits without an object (sleeps) are not there.
[[nodiscard]] std::vector<waited_for> find_waited_for(const model& m);

}  // namespace weft::tools
