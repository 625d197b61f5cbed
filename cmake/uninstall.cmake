# SPDX-License-Identifier: BSL-1.0
# Removes what the last `cmake --install` of this build, whole or by components, put where it did,
# and the folders that are empty then. DESTDIR as for installing.
cmake_minimum_required(VERSION 3.25)
file(GLOB manifests ${BUILD_DIR}/install_manifest*.txt)
if(NOT manifests)
  message(FATAL_ERROR "nothing to uninstall: cmake --install left no install_manifest.txt in "
                      "${BUILD_DIR}")
endif()
set(files)
foreach(manifest IN LISTS manifests)
  file(STRINGS ${manifest} some)
  list(APPEND files ${some})
endforeach()
foreach(file IN LISTS files)
  set(file "$ENV{DESTDIR}${file}")
  if(EXISTS "${file}" OR IS_SYMLINK "${file}")
    message(STATUS "Removing: ${file}")
    file(REMOVE "${file}")
  endif()
  cmake_path(GET file PARENT_PATH dir)
  while(IS_DIRECTORY "${dir}" AND dir MATCHES "weft")  # never one that was not made for weft
    # which refuses what is not empty, whatever its name
    execute_process(COMMAND rmdir -- "${dir}" RESULT_VARIABLE refused ERROR_QUIET)
    if(refused)
      break()
    endif()
    cmake_path(GET dir PARENT_PATH dir)
  endwhile()
endforeach()
