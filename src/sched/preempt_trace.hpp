// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/preempt_trace.hpp - the tracer's share of a preemption.

#include "fiber/record.hpp"

namespace weft::detail {

/// Records the place of `f`, which the calling thread runs and a signal has interrupted outside
/// weft. `context` is the handler's third argument. Copies a kilobyte; async-signal-safe.
void trace_interrupted_stack(const fiber_record& f, const void* context) noexcept;

}  // namespace weft::detail
