# SPDX-License-Identifier: BSL-1.0
# For the scripts beside it. run(COMMAND...): must succeed.   refused(TEXT COMMAND...): must fail,
# and say TEXT (a regular expression).
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGV}")
  endif()
endfunction()

function(refused text)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
  string(REGEX REPLACE "[ \n]+" " " said "${said}")  # CMake wraps what it says
  if(result EQUAL 0 OR NOT said MATCHES "${text}")
    message(FATAL_ERROR "should have been refused with '${text}': ${ARGN}\n${said}")
  endif()
endfunction()
