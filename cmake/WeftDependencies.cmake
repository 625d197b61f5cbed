# SPDX-License-Identifier: BSL-1.0
# What weft itself needs: threads, Boost.Context, moodycamel's ConcurrentQueue (headers).
# Rejected: FetchContent - a build must not need the network beyond the package manager.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# 1.74 is the oldest that weft has been tested with, and Debian 12's.
set(WEFT_BOOST_MINIMUM 1.74)
find_package(boost_context CONFIG QUIET)  # there without the umbrella package on vcpkg
set(weft_boost_version ${boost_context_VERSION})
if(NOT TARGET Boost::context)
  find_package(Boost QUIET COMPONENTS context)
  set(weft_boost_version ${Boost_VERSION})
endif()
if(NOT TARGET Boost::context)
  message(FATAL_ERROR "weft needs Boost.Context ${WEFT_BOOST_MINIMUM} or newer. Debian: "
                      "apt-get install libboost-context-dev; vcpkg: boost-context; conan: boost")
endif()
if(weft_boost_version VERSION_LESS WEFT_BOOST_MINIMUM)
  message(FATAL_ERROR "weft needs Boost.Context ${WEFT_BOOST_MINIMUM} or newer; "
                      "this is ${weft_boost_version}")
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
