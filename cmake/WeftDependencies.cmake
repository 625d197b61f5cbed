# SPDX-License-Identifier: BSL-1.0
# What weft itself needs: threads, Boost.Context, moodycamel's ConcurrentQueue (headers).
# Rejected: FetchContent - a build must not need the network beyond the package manager.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

find_package(boost_context CONFIG QUIET)  # there without the umbrella package on vcpkg
if(NOT TARGET Boost::context)
  find_package(Boost QUIET COMPONENTS context)
endif()
if(NOT TARGET Boost::context)
  message(FATAL_ERROR "weft needs Boost.Context. Debian: apt-get install libboost-context-dev; "
                      "vcpkg: boost-context; conan: boost")
endif()

# Debian ships the header alone; vcpkg and conan ship targets of different names.
set(weft_queue_hints)
foreach(package concurrentqueue unofficial-concurrentqueue)
  find_package(${package} CONFIG QUIET)
endforeach()
foreach(target concurrentqueue::concurrentqueue unofficial::concurrentqueue::concurrentqueue)
  if(TARGET ${target})
    get_target_property(weft_queue_dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
    # Paths may stand inside generator expressions, which find_path cannot read.
    string(REGEX MATCHALL "/[^;>]+" weft_queue_dirs "${weft_queue_dirs}")
    list(APPEND weft_queue_hints ${weft_queue_dirs})
  endif()
endforeach()
find_path(WEFT_CONCURRENTQUEUE_INCLUDE_DIR concurrentqueue.h
  HINTS ${weft_queue_hints}
  PATH_SUFFIXES concurrentqueue moodycamel concurrentqueue/moodycamel
  DOC "Directory of moodycamel's concurrentqueue.h")
if(NOT WEFT_CONCURRENTQUEUE_INCLUDE_DIR)
  message(FATAL_ERROR "weft needs moodycamel::ConcurrentQueue (concurrentqueue.h). "
                      "Debian: apt-get install libconcurrentqueue-dev; "
                      "vcpkg and conan: concurrentqueue")
endif()
mark_as_advanced(WEFT_CONCURRENTQUEUE_INCLUDE_DIR)
