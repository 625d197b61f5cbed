// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/sanitizers.hpp - the calls that inform the sanitizers. WEFT_TSAN and WEFT_ASAN, 0 or 1, come
// from weft/detail/requirements.hpp.

#include <cstddef>

#include <weft/detail/requirements.hpp>

#if WEFT_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace weft::base {

/// Memory of frames that never returned may be used by others again.
inline void asan_unpoison([[maybe_unused]] const void* begin,
                          [[maybe_unused]] std::size_t size) noexcept {
#if WEFT_ASAN
  __asan_unpoison_memory_region(begin, size);
#endif
}

}  // namespace weft::base
