// SPDX-License-Identifier: BSL-1.0
// api/metrics.cpp - the entry points of weft/metrics.hpp; the sums are watch/metrics.cpp, the text
// is prometheus.cpp.
#include <weft/metrics.hpp>
#include <weft/runtime.hpp>

#include "api/runtime_access.hpp"
#include "fiber/stack_watermarks.hpp"
#include "watch/metrics.hpp"

namespace weft {

process_metrics metrics() {
  return {std::chrono::system_clock::now(), detail::measure_all(), detail::measure_stacks()};
}

runtime_metrics metrics(const runtime& rt) {
  return detail::measure(detail::runtime_access::scheduler_of(rt));
}

}  // namespace weft
