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
# time. Half the optimising and a tenth of the debug information halve what compiling them takes,
# and gold, where it is installed, half of what linking them takes. A release is not meant.
if(PROJECT_IS_TOP_LEVEL)
  include(CheckLinkerFlag)
  check_linker_flag(CXX -fuse-ld=gold WEFT_HAS_GOLD)
endif()
function(weft_compile_lightly target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1;-g1>)
  if(WEFT_HAS_GOLD)
    target_link_options(${target} PRIVATE $<$<CONFIG:RelWithDebInfo>:-fuse-ld=gold>)
  endif()
endfunction()

# No path of the machine that built it is in what is installed: neither in __FILE__ nor in debug
# information, which has the files from the source tree's root on.
function(weft_hide_build_paths target)
  target_compile_options(${target} PRIVATE
    -ffile-prefix-map=${PROJECT_SOURCE_DIR}/= -ffile-prefix-map=${PROJECT_BINARY_DIR}=.)
endfunction()

# A shared weft exports what the public headers declare (weft/detail/export.hpp); a static one is
# hidden in whatever it is linked into, so that a program and its plugins keep their copies apart.
function(weft_exports target)
  set_target_properties(${target} PROPERTIES
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "SHARED_LIBRARY")
    target_compile_definitions(${target} PRIVATE WEFT_BUILDS_SHARED_LIBRARY)
    # Without what the standard library's templates leave behind, which is exported by its own word.
    set(exports ${PROJECT_SOURCE_DIR}/cmake/exports.map)
    # Its calls of what it exports are its own, and direct.
    target_compile_options(${target} PRIVATE -fno-semantic-interposition)
    target_link_options(${target} PRIVATE
      "LINKER:--version-script=${exports}" "LINKER:-Bsymbolic-functions")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${exports})
  endif()
endfunction()

# Debug information into .debug/FILE.debug beside the file, where gdb and libdw look; the symbols
# stay, for the reports that a program writes about itself. A static library keeps it: the program
# it is linked into decides. With a folder and a component, it is installed there, too.
function(weft_separate_debug target)
  get_target_property(type ${target} TYPE)
  if(NOT WEFT_SEPARATE_DEBUG OR type STREQUAL "STATIC_LIBRARY")
    return()
  endif()
  set(folder $<TARGET_FILE_DIR:${target}>/.debug)
  set(file ${folder}/$<TARGET_FILE_NAME:${target}>.debug)
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
    COMMAND ${CMAKE_OBJCOPY} --only-keep-debug $<TARGET_FILE:${target}> ${file}
    COMMAND ${CMAKE_OBJCOPY} --strip-debug --add-gnu-debuglink=${file} $<TARGET_FILE:${target}>
    VERBATIM)
  if(WEFT_INSTALL AND ARGC GREATER 1)
    install(FILES ${file} DESTINATION ${ARGV1}/.debug COMPONENT ${ARGV2})
  endif()
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
