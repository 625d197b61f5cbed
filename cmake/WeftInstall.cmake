# SPDX-License-Identifier: BSL-1.0
# cmake --install: library, headers, and a package for CMake and one for pkg-config that work
# wherever the tree is moved to. Three install components: weft_runtime, weft_development,
# weft_tools.
include(CMakePackageConfigHelpers)
set(weft_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
set(weft_parts weft)  # targets of ours, by the export they are in
get_property(weft_libraries GLOBAL PROPERTY weft_component_libraries)
get_property(weft_components GLOBAL PROPERTY weft_components)

# weft_install_targets(EXPORT TARGET...)
function(weft_install_targets export)
  install(TARGETS ${ARGN} EXPORT ${export}
    LIBRARY COMPONENT weft_runtime NAMELINK_COMPONENT weft_development
    ARCHIVE COMPONENT weft_development
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT ${export} NAMESPACE weft:: DESTINATION ${weft_package_dir}
          COMPONENT weft_development)
endfunction()
weft_install_targets(weftTargets weft weft_lock_detector)
foreach(name IN LISTS weft_libraries)
  weft_install_targets(${name}Targets weft_${name})
endforeach()
foreach(name IN LISTS weft_components)
  install(FILES cmake/components/${name}.cmake DESTINATION ${weft_package_dir}/components
          COMPONENT weft_development)
endforeach()

install(DIRECTORY include/weft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT weft_development
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.def")
configure_file(cmake/weftConfig.cmake.in weftConfig.cmake @ONLY)
write_basic_package_version_file(weftConfigVersion.cmake COMPATIBILITY ${weft_compatibility})
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/weftConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/weftConfigVersion.cmake
  DESTINATION ${weft_package_dir} COMPONENT weft_development)

# What CMake's users get by weft::weft, in words for the compiler. Boost is in it if weft is static.
file(RELATIVE_PATH weft_pc_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" weft_pc_prefix ${weft_pc_prefix})
set(weft_pc_flags -pthread -fstack-clash-protection)
set(weft_pc_libs -pthread)
if(WEFT_SANITIZE)
  list(APPEND weft_pc_flags -fsanitize=${WEFT_SANITIZE})
  list(APPEND weft_pc_libs -fsanitize=${WEFT_SANITIZE})
endif()
set(weft_pc_private_libs)
if(NOT BUILD_SHARED_LIBS)
  foreach(property IMPORTED_LOCATION IMPORTED_LOCATION_RELEASE IMPORTED_LOCATION_NONE)
    get_target_property(weft_boost_library Boost::context ${property})
    if(weft_boost_library)
      break()
    endif()
  endforeach()
  if(weft_boost_library)
    cmake_path(GET weft_boost_library PARENT_PATH weft_boost_dir)
    cmake_path(GET weft_boost_library STEM LAST_ONLY weft_boost_name)
    string(REGEX REPLACE "\\.so.*$" "" weft_boost_name ${weft_boost_name})  # .so.1.74.0
    string(REGEX REPLACE "^lib" "-l" weft_boost_name ${weft_boost_name})
    if(NOT weft_boost_dir IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
      list(APPEND weft_pc_libs -L${weft_boost_dir})
    endif()
    list(APPEND weft_pc_libs ${weft_boost_name})
  else()  # a package manager's interface target, which says elsewhere where it lies
    list(APPEND weft_pc_libs -lboost_context)
  endif()
endif()
foreach(list weft_pc_flags weft_pc_libs)
  list(JOIN ${list} " " ${list})
endforeach()
configure_file(cmake/weft.pc.in weft.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT weft_development)

# gdb's script, for `source`. The library carries it, too, until it is stripped; and gdb loads it by
# the name of a shared one, from below its own share/gdb/auto-load: with the prefix /usr at once,
# with others after `add-auto-load-scripts-directory PREFIX/share/gdb/auto-load`.
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/gdb/weft.py
        DESTINATION ${CMAKE_INSTALL_DATADIR}/weft/gdb COMPONENT weft_development)
if(BUILD_SHARED_LIBS)
  set(weft_libdir ${CMAKE_INSTALL_LIBDIR})
  if(NOT IS_ABSOLUTE ${weft_libdir})
    string(PREPEND weft_libdir "\${CMAKE_INSTALL_PREFIX}/")  # known when it is installed
  endif()
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/gdb/weft.py
          DESTINATION "${CMAKE_INSTALL_DATADIR}/gdb/auto-load${weft_libdir}"
          RENAME libweft.so.${PROJECT_VERSION}-gdb.py COMPONENT weft_development)
endif()
# The documents and examples, in folders as here, since they link to each other. A package manager's
# copy of the sources may lack them.
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT weft_development)
if(EXISTS ${PROJECT_SOURCE_DIR}/docs)
  install(FILES README.md ARCHITECTURE.md CHANGELOG.md HACKING.md
          DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT weft_development)
  install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT weft_development
          FILES_MATCHING PATTERN "*.md" PATTERN "*.png" PATTERN "*.cpp" PATTERN "*.hpp"
          PATTERN docs/reference EXCLUDE)
endif()

if(PROJECT_IS_TOP_LEVEL)
  add_custom_target(uninstall
    COMMAND ${CMAKE_COMMAND} -DBUILD_DIR=${CMAKE_CURRENT_BINARY_DIR}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/uninstall.cmake VERBATIM)
endif()
