# SPDX-License-Identifier: BSL-1.0
# The walls of the house: a file includes only its own layer or a lower one, public headers never
# see src/, every file states its license, and none of the tree has more than 400 lines.
cmake_minimum_required(VERSION 3.25)
set(layer_os 1)
set(layer_base 2)
set(layer_trace 3)
set(layer_fiber 4)
set(layer_sched 5)
set(layer_sync 6)
set(layer_net 6)
set(layer_tls 7)
set(layer_watch 6)
set(layer_api 7)
set(layer_debug 7)

set(broken 0)
function(complain text)
  message(STATUS "${text}")
  math(EXPR count "${broken} + 1")
  set(broken ${count} PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE files RELATIVE ${ROOT}
  ${ROOT}/include/*.hpp ${ROOT}/include/*.def ${ROOT}/src/*.hpp ${ROOT}/src/*.cpp ${ROOT}/src/*.def)
foreach(file IN LISTS files)
  file(STRINGS ${ROOT}/${file} first LIMIT_COUNT 1)
  if(NOT first MATCHES "SPDX-License-Identifier: BSL-1.0")
    complain("${file}: the first line states no license")
  endif()
  file(READ ${ROOT}/${file} text)

  # A compiler keeps errno's address over a switch, and a program built with LTO inlines across
  # files (os/errno_guard.hpp).
  if(file MATCHES "^src/" AND
     NOT file MATCHES "^src/(os/errno|net/calls|tls/key_log|fiber/switch)\\.cpp$")
    string(REGEX REPLACE "//[^\n]*|#include <cerrno>" "" code "${text}")
    if(code MATCHES "[^a-z_]errno[^a-z_.]")
      complain("${file}: names errno; os::error_number() reads that of the thread one is on")
    endif()
  endif()

  file(STRINGS ${ROOT}/${file} includes REGEX "^#include \"")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "^#include \"([^\"]*)\".*" "\\1" included "${include}")
    string(REGEX REPLACE "/.*" "" to "${included}")
    string(REGEX REPLACE "^src/([a-z]+)/.*" "\\1" from "${file}")
    if(file MATCHES "^include/")
      complain("${file}: a public header includes \"${included}\"")
    elseif(NOT DEFINED layer_${to})
      complain("${file}: \"${included}\" is in no layer")
    elseif(layer_${to} GREATER layer_${from})
      complain("${file}: ${from} may not include \"${included}\", a higher layer")
    endif()
  endforeach()
endforeach()

# Sizes: the whole tree's.
set(globs)
foreach(folder bench cmake docs examples include src test test_package tools)
  foreach(ending cpp hpp h def py cmake txt js css sh)
    list(APPEND globs ${ROOT}/${folder}/*.${ending})
  endforeach()
endforeach()
file(GLOB_RECURSE files RELATIVE ${ROOT} ${globs})
# Not by GLOB_RECURSE, which looks for them in all that is below: build folders, too, where other
# tests make and remove files meanwhile.
list(APPEND files CMakeLists.txt conanfile.py)
foreach(file IN LISTS files)
  file(READ ${ROOT}/${file} text)
  string(REGEX MATCHALL "\n" newlines "${text}")
  list(LENGTH newlines lines)
  if(lines GREATER 400)
    complain("${file}: ${lines} lines; 400 are allowed")
  endif()
endforeach()
if(broken)
  message(FATAL_ERROR "${broken} broken walls")
endif()
