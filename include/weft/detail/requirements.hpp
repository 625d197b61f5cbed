// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/requirements.hpp - refuses, with one sentence each, what weft cannot be compiled or
// linked with.
//
// What the compiler can see is an #error. How the library was built is known only to the library,
// so it is a symbol: a program built differently refers to a symbol that the library does not have,
// and the linker's message names it.

#if !defined(__linux__)
#error "weft runs on Linux only: its threads, its poller and its guards are the kernel's."
#endif
#if !defined(__LP64__) || __SIZEOF_POINTER__ != 8
#error "weft needs a 64-bit target (x86-64 or aarch64): stacks are reserved address space. "
"Compile without -m32 or -mx32."
#endif
#if __cplusplus < 202002L
#error \
    "weft needs C++20: compile with -std=c++20 or later (in CMake, link weft::weft, which asks for "
    "it)."
#endif
#if !defined(__cpp_exceptions)
#error "weft needs exceptions, by which a join returns what its fiber threw: compile without "
    "-fno-exceptions."
#endif

#include <cstddef>

#include <weft/detail/export.hpp>

// Which sanitizers this translation unit is compiled with: 0 or 1. gcc and clang announce them
// differently.
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

#if defined(_LIBCPP_VERSION)
#define WEFT_BUILT_STRINGS \
  weft_is_not_built_with_libcxx_as_this_program_is_build_both_with_the_same_stdlib
#elif defined(_GLIBCXX_USE_CXX11_ABI) && _GLIBCXX_USE_CXX11_ABI == 0
#define WEFT_BUILT_STRINGS \
  weft_is_not_built_with_GLIBCXX_USE_CXX11_ABI_0_as_this_program_is_build_both_with_the_same_value
#else
#define WEFT_BUILT_STRINGS \
  weft_is_not_built_with_GLIBCXX_USE_CXX11_ABI_1_as_this_program_is_build_both_with_the_same_value
#endif
#if defined(_GLIBCXX_DEBUG)  // it makes std::vector larger
#define WEFT_BUILT_CONTAINERS \
  weft_is_built_without_GLIBCXX_DEBUG_and_this_program_with_it_build_both_with_the_same_value
#else
#define WEFT_BUILT_CONTAINERS \
  weft_is_built_with_GLIBCXX_DEBUG_and_this_program_without_it_build_both_with_the_same_value
#endif
#if WEFT_ASAN
#define WEFT_BUILT_ASAN \
  weft_is_built_without_AddressSanitizer_and_this_program_with_it_set_WEFT_SANITIZE_to_address
#else
#define WEFT_BUILT_ASAN \
  weft_is_built_with_AddressSanitizer_and_this_program_without_it_compile_it_with_fsanitize_address
#endif
#if WEFT_TSAN
#define WEFT_BUILT_TSAN \
  weft_is_built_without_ThreadSanitizer_and_this_program_with_it_set_WEFT_SANITIZE_to_thread
#else
#define WEFT_BUILT_TSAN \
  weft_is_built_with_ThreadSanitizer_and_this_program_without_it_compile_it_with_fsanitize_thread
#endif

    // The library defines those that hold for it (src/api/version.cpp).
    extern "C" {
  WEFT_API extern const char WEFT_BUILT_STRINGS, WEFT_BUILT_CONTAINERS, WEFT_BUILT_ASAN,
      WEFT_BUILT_TSAN;
}

namespace weft {
namespace WEFT_API detail {
[[gnu::used]] inline const char* const built_alike[] = {&WEFT_BUILT_STRINGS, &WEFT_BUILT_CONTAINERS,
                                                        &WEFT_BUILT_ASAN, &WEFT_BUILT_TSAN};
}  // namespace WEFT_API detail
}  // namespace weft
