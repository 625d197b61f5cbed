// SPDX-License-Identifier: BSL-1.0
// api/version.cpp - the version compiled into the library.
#include <weft/version.hpp>

#include <weft/detail/requirements.hpp>

#define WEFT_STRING_OF(x) #x
#define WEFT_STRING(x) WEFT_STRING_OF(x)

// Those that this library was built with; a program built otherwise looks for another one.
extern "C" {
constexpr char WEFT_BUILT_STRINGS = 0, WEFT_BUILT_CONTAINERS = 0, WEFT_BUILT_ASAN = 0,
               WEFT_BUILT_TSAN = 0;
}

namespace weft {

const char* version() noexcept {
  return WEFT_STRING(WEFT_VERSION_MAJOR) "." WEFT_STRING(WEFT_VERSION_MINOR) "." WEFT_STRING(
      WEFT_VERSION_PATCH);
}

}  // namespace weft
