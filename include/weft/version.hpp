// SPDX-License-Identifier: BSL-1.0
// weft/version.hpp - which weft this is: at compile time the headers', at run time the library's.
// CMake reads the project version from the three lines below; nothing else states it.
#pragma once

#include <weft/detail/export.hpp>

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 2
#define WEFT_VERSION_PATCH 0

namespace WEFT_API weft {

/// The version of the linked library, as "major.minor.patch".
///
/// It differs from the macros if headers and library come from different installations.
[[nodiscard]] const char* version() noexcept;

}  // namespace WEFT_API weft
