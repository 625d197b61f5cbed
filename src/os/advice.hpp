// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/advice.hpp - madvise(2) for many ranges, shared by the files that know the kernel's memory.

#include <span>
#include <system_error>

#include "os/os.hpp"

namespace weft::os {

/// All or an error; on an error some ranges may have been advised.
std::error_code advise(std::span<const range> ranges, int advice) noexcept;

}  // namespace weft::os
