// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/sanitizers.hpp - which sanitizer this build has: WEFT_TSAN and WEFT_ASAN are 0 or 1.
// One place, because gcc and clang announce them differently.

#include <cstddef>

#if defined(__SANITIZE_THREAD__)
#define WEFT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_TSAN 1
#endif
#endif
#ifndef WEFT_TSAN
#define WEFT_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#endif
#endif
#ifndef WEFT_ASAN
#define WEFT_ASAN 0
#endif

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
