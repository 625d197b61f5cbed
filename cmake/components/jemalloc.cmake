# SPDX-License-Identifier: BSL-1.0
# weft::jemalloc - an application opts in to jemalloc by linking this. The same file makes the
# target in weft's own build and, installed, in its users': no path of the machine that built weft.
# WEFT_JEMALLOC_LIBRARY names another one than the linker's.
#
# The library goes in as a linker group of its own: an executable that calls only malloc names no
# symbol of jemalloc, and a linker told --as-needed would drop it without a word.
find_library(WEFT_JEMALLOC_LIBRARY jemalloc NO_CACHE)
if(WEFT_JEMALLOC_LIBRARY)
  add_library(weft::jemalloc INTERFACE IMPORTED ${weft_imported_scope})
  set_property(TARGET weft::jemalloc PROPERTY INTERFACE_LINK_LIBRARIES
    "-Wl,--push-state,--no-as-needed,${WEFT_JEMALLOC_LIBRARY},--pop-state")
else()
  set(reason "jemalloc is not installed. Debian: apt-get install libjemalloc-dev")
endif()
