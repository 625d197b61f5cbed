// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/valgrind.hpp - tells Valgrind of stacks. Otherwise it takes a jump to another stack for a
// frame of that size, and everything on it for undefined. A client request is a sequence of
// instructions that does nothing on a processor and that Valgrind recognises; it is part of its
// published interface, so neither its header nor anything at run time is needed. One for each batch
// of fresh stacks, and none for their use.

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::detail {

#if defined(__x86_64__)
/// `otherwise` is what it returns on a real processor.
inline std::uint64_t ask_valgrind(std::uint64_t otherwise, std::uint64_t request,
                                  std::uint64_t first = 0, std::uint64_t second = 0) noexcept {
  const volatile std::uint64_t call[6] = {request, first, second, 0, 0, 0};
  asm volatile(
      // 128 bits: as it was
      "rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\t"
      "xchgq %%rbx, %%rbx"
      : "+d"(otherwise)
      : "a"(&call[0])
      : "cc", "memory");
  return otherwise;
}
#else
inline std::uint64_t ask_valgrind(std::uint64_t otherwise, std::uint64_t, std::uint64_t = 0,
                                  std::uint64_t = 0) noexcept {
  return otherwise;
}
#endif

/// Of stacks of `size` bytes that begin there and were never told of.
inline void tell_valgrind(std::span<std::byte* const> limits, std::size_t size) noexcept {
  constexpr std::uint64_t running_on_valgrind = 0x1001, stack_register = 0x1501;
  if (ask_valgrind(0, running_on_valgrind) == 0) [[likely]]
    return;
  for (std::byte* limit : limits) {
    const auto lowest = reinterpret_cast<std::uintptr_t>(limit);
    ask_valgrind(0, stack_register, lowest, lowest + size - 1);
  }
}

}  // namespace weft::detail
