// SPDX-License-Identifier: BSL-1.0
// common/thread.hpp - std::thread as a subject: WORKERS is the number of CPUs the process may use.
#pragma once

#include <gnu/libc-version.h>

#include <thread>
#include <vector>

#include "common/bench.hpp"

namespace bench {

inline void begin_threads(const arguments& arguments) {
  version(std::string("glibc-") + gnu_get_libc_version());
  use_cpus(arguments.workers);
}

}  // namespace bench
