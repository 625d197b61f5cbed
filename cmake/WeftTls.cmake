# SPDX-License-Identifier: BSL-1.0
# weft::tls, a library of its own: whoever does not link it does not need OpenSSL. Its headers show
# nothing of OpenSSL's.
if(NOT WEFT_TLS)
  return()
endif()
find_package(OpenSSL 3 QUIET)
if(NOT TARGET OpenSSL::SSL)
  if(WEFT_TLS STREQUAL "AUTO")
    message(STATUS "weft::tls is not built: no OpenSSL 3. Debian: apt-get install libssl-dev")
    return()
  endif()
  message(FATAL_ERROR "weft::tls needs OpenSSL 3. Debian: apt-get install libssl-dev; "
                      "vcpkg and conan: openssl")
endif()

file(GLOB weft_tls_sources CONFIGURE_DEPENDS src/tls/*.cpp)
add_library(weft_tls ${weft_tls_sources})
weft_component_library(tls)
target_include_directories(weft_tls PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(weft_tls PUBLIC weft PRIVATE OpenSSL::SSL OpenSSL::Crypto)
target_compile_options(weft_tls PRIVATE -fno-omit-frame-pointer)
set_target_properties(weft_tls PROPERTIES
  POSITION_INDEPENDENT_CODE ON
  CXX_EXTENSIONS OFF
  VERSION ${PROJECT_VERSION}
  SOVERSION ${weft_soversion})
weft_warnings(weft_tls)
weft_hide_build_paths(weft_tls)
weft_separate_debug(weft_tls ${CMAKE_INSTALL_LIBDIR} weft_runtime)
