# SPDX-License-Identifier: BSL-1.0
# What a shared library exports, one symbol a line, sorted. Weak and unique ones (W, V, u) are
# templates, inline functions and inline variables: they depend on what the compiler left of them,
# and do not count.
# `cmake -DLIBRARY=... -DLIST=test/package/exports.txt -P` writes the reviewed list anew.
cmake_minimum_required(VERSION 3.25)
function(exported_symbols library result)
  execute_process(COMMAND nm -DC --defined-only ${library} OUTPUT_VARIABLE symbols
                  COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[0-9a-f]+ [TDBR] [^\n]+" symbols "${symbols}")
  list(TRANSFORM symbols REPLACE "^[0-9a-f]+ [TDBR] " "")
  list(SORT symbols)
  list(REMOVE_DUPLICATES symbols)
  list(JOIN symbols "\n" symbols)
  set(${result} "${symbols}" PARENT_SCOPE)
endfunction()

if(LIST)
  exported_symbols(${LIBRARY} symbols)
  file(WRITE ${LIST} "${symbols}\n")
endif()
