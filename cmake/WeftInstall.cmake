# SPDX-License-Identifier: BSL-1.0
# cmake --install: headers, library, and a package that works wherever the tree is moved to.
include(CMakePackageConfigHelpers)
set(weft_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)

install(TARGETS weft weft_lock_detector EXPORT weftTargets)
install(DIRECTORY include/weft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.def")
install(EXPORT weftTargets NAMESPACE weft:: DESTINATION ${weft_package_dir})

configure_package_config_file(cmake/weftConfig.cmake.in weftConfig.cmake
  INSTALL_DESTINATION ${weft_package_dir})
write_basic_package_version_file(weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/weftConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/weftConfigVersion.cmake
  cmake/WeftJemalloc.cmake
  DESTINATION ${weft_package_dir})
# the library carries it, too
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/gdb/weft.py DESTINATION ${CMAKE_INSTALL_DATADIR}/weft/gdb)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
