# SPDX-License-Identifier: BSL-1.0
# weft within another project (test/package/around). BUILD: all of it; else the target graph only.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} -S ${SOURCE_DIR}/around -B ${WORK_DIR} -G ${GENERATOR} -DWEFT_BY=${BY}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DWEFT_SOURCE=${ROOT})
if(BUILD)
  run(${CMAKE_COMMAND} --build ${WORK_DIR})
  run(${WORK_DIR}/around)
  if(EXISTS ${WORK_DIR}/around_with_asio)
    run(${WORK_DIR}/around_with_asio)
  endif()
endif()
