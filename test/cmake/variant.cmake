# SPDX-License-Identifier: BSL-1.0
# Builds weft in one of the ways its users do, and runs a few of its tests. Dear: tools/test --all.
cmake_minimum_required(VERSION 3.25)
set(options_unity -DCMAKE_UNITY_BUILD=ON)
set(options_lto -DCMAKE_CXX_FLAGS=-flto=auto -DCMAKE_BUILD_TYPE=Release)
set(options_debug -DCMAKE_BUILD_TYPE=Debug)
set(options_ndebug -DCMAKE_BUILD_TYPE=Release)  # -O3
set(options_shared -DBUILD_SHARED_LIBS=ON)
set(options_v4 -DCMAKE_CXX_FLAGS=-march=x86-64-v4)
set(options_conversion "-DCMAKE_CXX_FLAGS=-Wconversion -Werror=conversion")
set(options_thread_safety -DCMAKE_BUILD_TYPE=Debug
  "-DCMAKE_CXX_FLAGS=-Wthread-safety -Werror=thread-safety")  # base/thread_safety.hpp
set(options_no_tests -DBUILD_TESTING=OFF)
set(tests unit_version_test unit_yield_test unit_exceptions_test unit_errno_test
  unit_inline_join_test unit_preempt_test)

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGV}")
  endif()
endfunction()

if(VARIANT STREQUAL "thread_safety" AND NOT COMPILER MATCHES "clang")
  find_program(CLANG NAMES clang++ clang++-19 clang++-16 clang++-14)
  if(NOT CLANG)
    message("SKIPPED: there is no clang++, and only clang checks which lock protects what.")
    return()
  endif()
  set(COMPILER ${CLANG})
endif()
if(VARIANT STREQUAL "shared")  # the tests look inside a static twin; this one uses what is exported
  list(APPEND tests readme_program)
endif()

file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} -S ${SOURCE_DIR} -B ${WORK_DIR} -G ${GENERATOR}
  -DCMAKE_CXX_COMPILER=${COMPILER} -DWEFT_BUILD_TOOLS=OFF
    -DWEFT_BUILD_EXAMPLES=OFF ${options_${VARIANT}})
if(VARIANT STREQUAL "no_tests")
  if(EXISTS ${WORK_DIR}/test)
    message(FATAL_ERROR "BUILD_TESTING=OFF, and there are tests")
  endif()
  run(${CMAKE_COMMAND} --build ${WORK_DIR} --target weft)
  return()
endif()
# The library's own code: no number changes unsaid, no member is used without its lock.
if(VARIANT MATCHES "^(conversion|thread_safety)$")
  run(${CMAKE_COMMAND} --build ${WORK_DIR} --target weft)
  return()
endif()
run(${CMAKE_COMMAND} --build ${WORK_DIR} --target weft ${tests})
if(VARIANT STREQUAL "v4")  # for CPUs that this one need not be
  file(STRINGS /proc/cpuinfo flags REGEX "avx512vl" LIMIT_COUNT 1)
  if(NOT flags)
    return()
  endif()
endif()
foreach(test IN LISTS tests)
  run(${WORK_DIR}/test/${test})
endforeach()
