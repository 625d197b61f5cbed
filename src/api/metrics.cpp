// SPDX-License-Identifier: BSL-1.0
// api/metrics.cpp - the entry points of weft/metrics.hpp; the sums are sched/metrics.cpp, the text
// is prometheus.cpp.
#include <weft/metrics.hpp>
#include <weft/runtime.hpp>

#include "fiber/stack_watermarks.hpp"
#include "sched/scheduler.hpp"

namespace weft {

process_metrics metrics() {
  return {std::chrono::system_clock::now(), detail::scheduler::measure_all(),
          detail::measure_stacks()};
}

runtime_metrics metrics(const runtime& rt) { return rt.scheduler_->measure(); }

}  // namespace weft
