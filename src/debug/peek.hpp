// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/peek.hpp - reads memory that another thread may be writing, as it is.
//
// A report reads the plain fields and the stacks of fibers that go on. Their owners write them
// without atomics, for speed. The reader finds out afterwards, by the fiber's word, whether they
// stood still (SNAPSHOT-1 in fiber_snapshot.hpp), and discards what did not. The machine's loads do
// that; C++'s would be undefined and the sanitizers' reports.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace weft::detail {

template <class T>
  requires(std::is_trivially_copyable_v<T> && (sizeof(T) == 8 || sizeof(T) == 1))
[[nodiscard]] inline T peek(const T& x) noexcept {
#if defined(__x86_64__)
  if constexpr (sizeof(T) == 8) {
    std::uint64_t value;
    asm volatile("movq %1, %0" : "=r"(value) : "m"(x));
    return std::bit_cast<T>(value);
  } else {
    std::uint8_t value;
    asm volatile("movb %1, %0" : "=q"(value) : "m"(x));
    return std::bit_cast<T>(value);
  }
#else
  return *const_cast<const volatile T*>(&x);
#endif
}

/// `bytes` a multiple of 8, both sides aligned to that.
inline void copy_unseen(void* to, const void* from, std::size_t bytes) noexcept {
  std::size_t words = bytes / 8;
#if defined(__x86_64__)
  asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#else
  auto* out = static_cast<volatile std::uint64_t*>(to);
  for (auto* in = static_cast<const volatile std::uint64_t*>(from); words > 0; --words)
    *out++ = *in++;
#endif
}

}  // namespace weft::detail
