# SPDX-License-Identifier: BSL-1.0
# How weft's own code is compiled: warnings, sanitizers, effort, ccache.
if(PROJECT_IS_TOP_LEVEL)
  find_program(WEFT_CCACHE ccache)
  if(WEFT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${WEFT_CCACHE}")
    set(CMAKE_C_COMPILER_LAUNCHER "${WEFT_CCACHE}")
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  set(CMAKE_CXX_EXTENSIONS OFF)
endif()

# -Wrestrict: g++ 12 sees overlaps in std::string's operator+ that are not there (GCC bug 105651).
function(weft_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra $<$<BOOL:${WEFT_WERROR}>:-Werror>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
endfunction()

# Tests, examples and the tools' command lines: most of a developer's build, and none of its running
# time. Half the optimising and a tenth of the debug information halve what compiling and linking
# them takes. A release is not meant.
function(weft_compile_lightly target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1;-g1>)
endfunction()

# A frame larger than a guard page can jump it, and then overflows into the next stack unseen. With
# this flag such a frame touches its pages one by one. Public, because it is the application's
# frames that are large: it travels with weft::weft, as the question to whatever compiler is used
# there.
function(weft_stack_probes target)
  set(clang_needs 11)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(clang_needs 19)
  endif()
  foreach(language C CXX)
    set(is_clang $<COMPILE_LANG_AND_ID:${language},Clang>)
    set(is_new_enough
      $<VERSION_GREATER_EQUAL:$<${language}_COMPILER_VERSION>,${clang_needs}>)
    target_compile_options(${target} PUBLIC
      $<$<COMPILE_LANG_AND_ID:${language},GNU>:-fstack-clash-protection>
      $<$<AND:${is_clang},${is_new_enough}>:-fstack-clash-protection>)
  endforeach()
endfunction()

# Public, because everything that runs on weft's switch must agree with it: the sanitizer flags of
# an instrumented weft travel with weft::weft, in the build tree and in the installed package.
function(weft_sanitize target)
  if(NOT WEFT_SANITIZE)
    return()
  endif()
  if(NOT WEFT_SANITIZE MATCHES "^(address|undefined|thread|address,undefined)$")
    message(FATAL_ERROR "WEFT_SANITIZE=${WEFT_SANITIZE}: use address, undefined, "
                        "address,undefined or thread")
  endif()
  target_compile_options(${target} PUBLIC
    -fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(${target} PUBLIC -fsanitize=${WEFT_SANITIZE})
  # Since C++17 the failure ordering of a compare-exchange may be the stronger one; without inlining
  # g++ 12 still says no.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PUBLIC -Wno-invalid-memory-model -Wno-maybe-uninitialized)
  endif()
  # gcc warns of every stand-alone fence under TSan. Ours are read-modify-writes there
  # (base/sync_policy.hpp); the ones it means are moodycamel's.
  if(WEFT_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PUBLIC -Wno-tsan)
  endif()
endfunction()

# The sanitizer runtimes of gcc 12 and clang 14 give up when the kernel randomises more address
# bits than they know (vm.mmap_rnd_bits above 28), so what they instrument runs without ASLR.
if(WEFT_SANITIZE AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  find_program(WEFT_SETARCH setarch)
  if(WEFT_SETARCH)
    execute_process(COMMAND ${WEFT_SETARCH} -R true RESULT_VARIABLE weft_setarch_failed
                    OUTPUT_QUIET ERROR_QUIET)
    if(NOT weft_setarch_failed)
      set(CMAKE_CROSSCOMPILING_EMULATOR "${WEFT_SETARCH};-R")
    endif()
  endif()
endif()
