# SPDX-License-Identifier: BSL-1.0
# A Boost that is too old is refused by its version.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
file(REMOVE_RECURSE ${WORK_DIR})
file(WRITE ${WORK_DIR}/old/boost_contextConfig.cmake
  "add_library(Boost::context INTERFACE IMPORTED)\n")
file(WRITE ${WORK_DIR}/old/boost_contextConfigVersion.cmake
  "set(PACKAGE_VERSION 1.60.0)\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n")
refused("needs Boost.Context 1\\.[0-9]+ or newer; this is 1.60.0"
  ${CMAKE_COMMAND} -S ${ROOT} -B ${WORK_DIR}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
  -Dboost_context_DIR=${WORK_DIR}/old)
