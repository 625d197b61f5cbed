# SPDX-License-Identifier: BSL-1.0
# conan create, with Debian's packages as the platform's; what asks a remote fails. HOW:
# load (the recipe is read), create (made with OPTIONS, NAME=VALUE,..., and used by test_package).
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
if(NOT CONAN)
  message(FATAL_ERROR "SKIPPED: there is no Conan; tools/test installs it")
endif()
file(REMOVE_RECURSE ${WORK_DIR})
file(MAKE_DIRECTORY ${WORK_DIR}/home)
set(ENV{CONAN_HOME} ${WORK_DIR}/home)
file(WRITE ${WORK_DIR}/home/remotes.json [[
  {"remotes": [{"name": "nobody", "url": "http://127.0.0.1:1", "verify_ssl": false}]}]])

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

if(COMPILER MATCHES "clang")
  set(ENV{CC} clang)
endif()
run(${CONAN} profile detect)
string(REPLACE "," ";" OPTIONS "${OPTIONS}")
set(options)
foreach(option IN LISTS OPTIONS)
  list(APPEND options -o &:${option})
endforeach()
run(${CONAN} create ${ROOT} -nr -pr:a ${ROOT}/packaging/conan/debian-12 ${options} --build=missing
    -c tools.cmake.cmaketoolchain:generator=${GENERATOR}
    -c tools.cmake.cmaketoolchain:user_presets=
    -c tools.cmake.cmake_layout:test_folder=${WORK_DIR}/test)
