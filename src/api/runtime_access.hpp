// SPDX-License-Identifier: BSL-1.0
#pragma once
// api/runtime_access.hpp - the scheduler within a weft::runtime.

#include <weft/runtime.hpp>

namespace weft::detail {

struct runtime_access {
  [[nodiscard]] static scheduler& scheduler_of(const runtime& rt) noexcept {
    return *rt.scheduler_;
  }
};

[[nodiscard]] scheduler& default_scheduler();  // runtime.cpp

}  // namespace weft::detail
