// SPDX-License-Identifier: BSL-1.0
// common/tbb.hpp - oneTBB in an arena of WORKERS slots, the caller being one of them.
#pragma once

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <tbb/version.h>

#include <utility>

#include "common/bench.hpp"

namespace bench {

template <class Body>
void run_tbb(std::size_t workers, Body&& body) {
  version(TBB_VERSION_STRING);
  tbb::global_control limit(tbb::global_control::max_allowed_parallelism, workers);
  tbb::task_arena arena(static_cast<int>(workers));
  arena.execute(std::forward<Body>(body));
}

}  // namespace bench
