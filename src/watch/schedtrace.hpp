// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/schedtrace.hpp - WEFT_SCHEDTRACE=ms: a line on stderr every so many ms, for each runtime,
// by its service thread.

#include <cstdint>
#include <memory>

#include <weft/metrics.hpp>

#include "sched/scheduler.hpp"

namespace weft::detail {

class schedtrace {
 public:
  explicit schedtrace(scheduler& s) noexcept;
  /// If it is due; when it will be next, INT64_MAX for never.
  std::int64_t print() noexcept;

 private:
  std::int64_t print_line() noexcept;

  scheduler& s_;
  const std::int64_t every_ns_;  // 0: not asked for
  std::int64_t at_ns_ = INT64_MAX;
  std::unique_ptr<runtime_metrics> last_;
};

}  // namespace weft::detail
