// SPDX-License-Identifier: BSL-1.0
// common/weft.hpp - weft as a subject: one runtime of WORKERS workers, the body is its first fiber.
#pragma once

#include <cstdio>
#include <exception>
#include <utility>
#include <weft/weft.hpp>

#include "common/bench.hpp"

namespace bench {

template <class Body>
int run_weft(std::size_t workers, Body&& body) {
  version(WEFT_COMPARE_VERSION);
  weft::options options;
  options.workers = workers;
  try {
    return weft::run(options, std::forward<Body>(body));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "weft: %s\n", failure.what());
    return 1;
  }
}

}  // namespace bench
