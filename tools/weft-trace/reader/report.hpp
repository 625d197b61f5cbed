// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/report.hpp - a trace in numbers, as text.

#include <cstddef>
#include <string>

#include "reader/model.hpp"

namespace weft::tools {

struct report_options {
  std::size_t rows = 10;  // of each list
  bool bars = true;       // histograms, not only their percentiles
};
[[nodiscard]] std::string report(const model& m, const report_options& o = {});

/// Folded stacks of the time fibers were parked: "spawned at;fiber;reason nanoseconds", for
/// flamegraph.pl and its like.
[[nodiscard]] std::string folded_waits(const model& m);

/// The same of the time they ran: "spawned at;fiber;outermost call;...;innermost call nanoseconds".
/// A stretch has calls if a preemption ended it: the recorder notes them then only.
[[nodiscard]] std::string folded_runs(const model& m);

/// Chrome's trace format (JSON), which Perfetto opens, too; tracks.hpp says what is shown.
[[nodiscard]] std::string to_perfetto(const model& m);
/// The same in Perfetto's own binary form, a tenth of the size. Throws std::runtime_error without
/// memory.
[[nodiscard]] std::string to_pftrace(const model& m);

}  // namespace weft::tools
