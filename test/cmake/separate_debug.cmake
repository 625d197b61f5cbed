# SPDX-License-Identifier: BSL-1.0
# WEFT_SEPARATE_DEBUG, as the release preset has it: a program keeps its symbols and no debug
# information, and gdb finds that in a file of its own, also after both have moved.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
find_program(gdb gdb)
find_program(readelf readelf)
file(REMOVE_RECURSE ${WORK_DIR})
file(WRITE ${WORK_DIR}/source/main.cpp
  "int answer() { return 42; }\nint main() { return answer() - 42; }\n")
file(WRITE ${WORK_DIR}/source/CMakeLists.txt "cmake_minimum_required(VERSION 3.25)
project(separate LANGUAGES CXX)
set(WEFT_SEPARATE_DEBUG ON)
set(WEFT_INSTALL ON)
include(${ROOT}/cmake/WeftCompile.cmake)
add_executable(separate main.cpp)
target_compile_options(separate PRIVATE -g -O0)
weft_hide_build_paths(separate)
weft_separate_debug(separate bin tools)
install(TARGETS separate)
")
run(${CMAKE_COMMAND} -S ${WORK_DIR}/source -B ${WORK_DIR}/build -G ${GENERATOR}
    -DCMAKE_CXX_COMPILER=${COMPILER})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${CMAKE_COMMAND} --install ${WORK_DIR}/build --prefix ${WORK_DIR}/installed)
file(REMOVE_RECURSE ${WORK_DIR}/build)
file(RENAME ${WORK_DIR}/installed ${WORK_DIR}/moved)
set(program ${WORK_DIR}/moved/bin/separate)
run(${program})

execute_process(COMMAND ${readelf} -SW ${program} OUTPUT_VARIABLE sections
                COMMAND_ERROR_IS_FATAL ANY)
if(sections MATCHES "[.]debug_info" OR NOT sections MATCHES "[.]gnu_debuglink"
   OR NOT sections MATCHES "[.]symtab")
  message(FATAL_ERROR "not stripped of debug information only:\n${sections}")
endif()
if(gdb)
  execute_process(COMMAND ${gdb} -nx -batch -ex "info line answer" ${program} OUTPUT_VARIABLE said
                  ERROR_VARIABLE said)
  if(NOT said MATCHES "Line 1 of \"[a-z./]*main.cpp\"")
    message(FATAL_ERROR "gdb does not find the debug information: ${said}")
  endif()
else()
  message(STATUS "no gdb: the debug information is not looked for")
endif()
