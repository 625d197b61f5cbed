# SPDX-License-Identifier: BSL-1.0
# Installs, moves the installed tree, and builds and runs consumers against the new place: a path
# recorded at install time would be found out. One consumer by CMake, one by pkg-config. Then
# uninstalls.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/installed)

# What gdb says, with the files of this test as its safe path and with its scripts for libraries.
find_program(GDB gdb)
function(gdb_says wanted file)
  if(NOT GDB OR SANITIZED)
    message(STATUS "gdb is not there, or not to be used: its script is not tried on ${file}")
    return()
  endif()
  execute_process(COMMAND ${GDB} -nx -batch -iex "set auto-load safe-path ${WORK_DIR}"
    -iex "add-auto-load-scripts-directory ${WORK_DIR}/installed/share/gdb/auto-load"
    -ex "info auto-load python-scripts" -ex "help info fibers" ${file}
    OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT said MATCHES "${wanted}" OR NOT said MATCHES "Lists weft's fibers")
    message(FATAL_ERROR "gdb has not loaded weft's script with ${file}: ${said}")
  endif()
endfunction()
if(SHARED)
  file(GLOB library ${WORK_DIR}/installed/lib*/libweft.so.${VERSION}
       ${WORK_DIR}/installed/lib/*/libweft.so.${VERSION})
  gdb_says("libweft.so.${VERSION}-gdb.py" ${library})
endif()
file(RENAME ${WORK_DIR}/installed ${WORK_DIR}/moved)
string(REPLACE "," ";" EMULATOR "${EMULATOR}")
# By the environment: as an argument, a list such as "setarch;-R" would come apart on its way.
set(ENV{WEFT_CONSUMER_EMULATOR} "${EMULATOR}")
run(${CMAKE_COMMAND} -S ${SOURCE_DIR}/consumer -B ${WORK_DIR}/build -G ${GENERATOR}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${WORK_DIR}/moved
    -DWEFT_CONSUMER_VERSION=${VERSION} -DWEFT_CONSUMER_COMPONENTS=${COMPONENTS}
    -DWEFT_CONSUMER_SANITIZED=${SANITIZED} -DWEFT_CONSUMER_SHARED=${SHARED})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${CMAKE_CTEST_COMMAND} --test-dir ${WORK_DIR}/build --output-on-failure --no-tests=error)

if(NOT SHARED)
  gdb_says("inlined-script-weft" ${WORK_DIR}/build/consumer)
endif()

# The CMake that README.md and docs/ show, with README's program.
function(read_cmake_block page result)
  file(READ ${ROOT}/${page} text)
  if(NOT text MATCHES "```cmake\n([^`]*)```")
    message(FATAL_ERROR "${page} has no ```cmake block")
  endif()
  set(${result} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()
function(build_as_documented name lists)
  set(folder ${WORK_DIR}/${name})
  file(WRITE ${folder}/CMakeLists.txt "${lists}")
  run(${CMAKE_COMMAND} -DREADME=${ROOT}/README.md -DOUTPUT=${folder}/app.cpp
      -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/readme.cmake)
  run(${CMAKE_COMMAND} -S ${folder} -B ${folder}/build -G ${GENERATOR} -DCMAKE_BUILD_TYPE=Debug
      -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${WORK_DIR}/moved)
  run(${CMAKE_COMMAND} --build ${folder}/build)
endfunction()
if(NOT SANITIZED)  # a program must be sanitized as weft is: the pages' are not
  read_cmake_block(docs/building.md whole)
  build_as_documented(as_building_says "${whole}")
  read_cmake_block(README.md package)
  read_cmake_block(docs/guide/blocking.md detector)
  if("${COMPONENTS}," MATCHES "jemalloc,")
    build_as_documented(as_readme_says "cmake_minimum_required(VERSION 3.25)
project(app LANGUAGES CXX)
add_executable(app app.cpp)
${package}${detector}")
  else()
    message(STATUS "no jemalloc: README's lines are not tried")
  endif()
endif()

# The documents come along.
foreach(document README.md CHANGELOG.md docs/questions.md docs/guide/production.md docs/timeline.png
        docs/problems/hog.cpp examples/server.hpp)
  if(NOT EXISTS ${WORK_DIR}/moved/share/doc/weft/${document})
    message(FATAL_ERROR "${document} is not installed")
  endif()
endforeach()

# No path of this machine in what is installed.
file(GLOB_RECURSE installed ${WORK_DIR}/moved/*)
cmake_path(GET SOURCE_DIR PARENT_PATH root)
cmake_path(GET root PARENT_PATH root)
foreach(file IN LISTS installed)
  if(file MATCHES "/bin/" OR SANITIZED)  # the tools' tests look for their programs
    continue()
  endif()
  execute_process(COMMAND grep -qF -e ${root}/ -e ${BUILD_DIR}/ ${file} RESULT_VARIABLE result)
  if(result EQUAL 0)
    message(FATAL_ERROR "${file} holds a path of the machine that built it, below ${root}")
  endif()
endforeach()

# pkg-config.
set(answers)
find_program(PKG_CONFIG NAMES pkg-config pkgconf)
if(PKG_CONFIG)
  file(GLOB_RECURSE pc ${WORK_DIR}/moved/weft.pc)
  cmake_path(GET pc PARENT_PATH pc)
  set(ENV{PKG_CONFIG_PATH} ${pc})
  foreach(question --modversion --cflags --libs)
    execute_process(COMMAND ${PKG_CONFIG} ${question} weft OUTPUT_VARIABLE said
                    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    string(APPEND answers "${said};")
  endforeach()
  list(POP_FRONT answers version)
  list(JOIN answers " " flags)
  if(NOT version STREQUAL VERSION)
    message(FATAL_ERROR "weft.pc has the version ${version}, weft has ${VERSION}")
  endif()
  separate_arguments(flags UNIX_COMMAND "${flags}")
  list(FILTER flags EXCLUDE REGEX "^$")
  file(WRITE ${WORK_DIR}/with_pkg_config.cpp "#include <weft/fiber.hpp>\n#include <weft/runtime.hpp>
    int main() { return weft::run([] { return weft::spawn([] { return 0; }).join(); }); }\n")
  run(${COMPILER} -std=c++20 ${WORK_DIR}/with_pkg_config.cpp ${flags}
      -Wl,-rpath,${WORK_DIR}/moved/lib -o ${WORK_DIR}/with_pkg_config)
  run(${EMULATOR} ${WORK_DIR}/with_pkg_config)
  if(NOT SHARED AND NOT SANITIZED)  # and without a shared library
    run(${COMPILER} -std=c++20 -static ${WORK_DIR}/with_pkg_config.cpp ${flags}
        -o ${WORK_DIR}/wholly_static)
    run(${EMULATOR} ${WORK_DIR}/wholly_static)
  endif()
else()
  message(STATUS "no pkg-config: weft.pc is not tried")
endif()

# What is installed goes away again, and takes nothing else along.
set(ENV{DESTDIR} ${WORK_DIR}/staged)
file(WRITE ${WORK_DIR}/staged/usr/include/other.h "")
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix /usr)
run(${CMAKE_COMMAND} --build ${BUILD_DIR} --target uninstall)
file(GLOB_RECURSE rest RELATIVE ${WORK_DIR}/staged ${WORK_DIR}/staged/*)
if(NOT rest STREQUAL "usr/include/other.h")
  message(FATAL_ERROR "after uninstalling there is: ${rest}")
endif()
file(GLOB folders ${WORK_DIR}/staged/usr/include/*)
if(NOT folders STREQUAL "${WORK_DIR}/staged/usr/include/other.h")
  message(FATAL_ERROR "after uninstalling there is: ${folders}")
endif()

# Brackets in a path are no pattern: what is not weft's stays.
set(ENV{DESTDIR} "${WORK_DIR}/staged [1]")
set(other "$ENV{DESTDIR}/usr/include/weft/other.h")
file(WRITE "${other}" "")
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix /usr)
run(${CMAKE_COMMAND} --build ${BUILD_DIR} --target uninstall)
if(NOT EXISTS "${other}" OR EXISTS "$ENV{DESTDIR}/usr/include/weft/fiber.hpp")
  message(FATAL_ERROR "uninstalling from $ENV{DESTDIR} removed what is not weft's, or not all")
endif()
