// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/metrics.hpp - the sum of what everybody has counted, and a look at the queues.
//
// Takes the idle lock for moments, and asks for memory without it [PREEMPT-3]. What is read while
// it changes is a little old, never torn.

#include <vector>

#include <weft/metrics.hpp>

#include "sched/scheduler.hpp"

namespace weft::detail {

[[nodiscard]] runtime_metrics measure(scheduler& s);
/// Of all runtimes that live and have not ended.
[[nodiscard]] std::vector<runtime_metrics> measure_all();

}  // namespace weft::detail
