# SPDX-License-Identifier: BSL-1.0
# weft::jemalloc - an application opts in to jemalloc by linking this. Installed beside
# weftConfig.cmake, so that the package offers the same target without recording a path.
#
# The library goes in as a linker group of its own: an executable that calls only malloc names no
# symbol of jemalloc, and a linker told --as-needed would drop it without a word.
if(NOT TARGET weft::jemalloc)
  find_library(WEFT_JEMALLOC_LIBRARY jemalloc)
  mark_as_advanced(WEFT_JEMALLOC_LIBRARY)
  if(WEFT_JEMALLOC_LIBRARY)
    add_library(weft_jemalloc INTERFACE)
    add_library(weft::jemalloc ALIAS weft_jemalloc)
    target_link_libraries(weft_jemalloc INTERFACE
      "-Wl,--push-state,--no-as-needed,${WEFT_JEMALLOC_LIBRARY},--pop-state")
  endif()
endif()

# For weft's own executables: jemalloc where it exists and no sanitizer owns malloc.
function(weft_link_executable target)
  target_link_libraries(${target} PRIVATE weft::weft)
  if(TARGET weft::jemalloc AND NOT WEFT_SANITIZE)
    target_link_libraries(${target} PRIVATE weft::jemalloc)
  endif()
endfunction()
