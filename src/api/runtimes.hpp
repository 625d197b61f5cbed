// SPDX-License-Identifier: BSL-1.0
#pragma once
// api/runtimes.hpp - the default runtime.

#include "sched/scheduler.hpp"

namespace weft::detail {

/// Made on first use, shut down when the process ends.
[[nodiscard]] scheduler& default_scheduler();

}  // namespace weft::detail
