# SPDX-License-Identifier: BSL-1.0
# conan create, with Debian's packages as the platform's: no remote is asked, nor is there one. HOW:
# load (the recipe is read), create (made with OPTIONS, NAME=VALUE,..., and used by test_package).
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
if(NOT CONAN)
  message(FATAL_ERROR "SKIPPED: there is no Conan; tools/test installs it")
endif()
file(REMOVE_RECURSE ${WORK_DIR})
file(MAKE_DIRECTORY ${WORK_DIR}/home)
set(ENV{CONAN_HOME} ${WORK_DIR}/home)
file(WRITE ${WORK_DIR}/home/remotes.json "{\"remotes\": []}")

if(HOW STREQUAL "load")
  execute_process(COMMAND ${CONAN} inspect ${ROOT} --format=json OUTPUT_VARIABLE said
                  COMMAND_ERROR_IS_FATAL ANY)
  string(JSON version GET "${said}" version)
  if(NOT version STREQUAL VERSION)
    message(FATAL_ERROR "the recipe says it is ${version}, weft is ${VERSION}")
  endif()
  foreach(option shared fPIC tools tls asio)
    string(JSON value GET "${said}" options_definitions ${option})
  endforeach()
  return()
endif()

execute_process(COMMAND ${COMPILER} -dumpversion OUTPUT_VARIABLE compiler
                OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX MATCH "^[0-9]+" compiler "${compiler}")
execute_process(COMMAND uname -m OUTPUT_VARIABLE arch OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REPLACE aarch64 armv8 arch "${arch}")
file(WRITE ${WORK_DIR}/profile "[settings]
os=Linux
arch=${arch}
compiler=gcc
compiler.version=${compiler}
compiler.libcxx=libstdc++11
compiler.cppstd=20
build_type=Release
[conf]
tools.cmake.cmaketoolchain:generator=${GENERATOR}
tools.cmake.cmaketoolchain:user_presets=
tools.cmake.cmake_layout:test_folder=${WORK_DIR}/test
[platform_requires]
boost/1.74.0
concurrentqueue/1.0.3
openssl/3.0.0
cli11/2.1.2
fmt/9.1.0
nlohmann_json/3.11.2
elfutils/0.188
")
string(REPLACE "," ";" OPTIONS "${OPTIONS}")
set(options)
foreach(option IN LISTS OPTIONS)
  list(APPEND options -o &:${option})
endforeach()
run(${CONAN} create ${ROOT} -pr:a ${WORK_DIR}/profile ${options} --build=missing)
