# SPDX-License-Identifier: BSL-1.0
# weft::asio - weft and Boost's headers, for <weft/asio.hpp>. Nothing of Asio is compiled into weft,
# so a program's own settings of it hold. Asio's own TLS needs OpenSSL::SSL besides.
find_package(boost_asio ${WEFT_BOOST_MINIMUM} CONFIG QUIET)  # vcpkg: a package for each library
if(TARGET Boost::asio)
  set(weft_asio_boost Boost::asio)
else()
  find_package(Boost ${WEFT_BOOST_MINIMUM} QUIET)
  # Boost may be there in part: what Boost.Context needs, and no Asio.
  find_path(weft_asio_header boost/asio.hpp HINTS ${Boost_INCLUDE_DIRS} NO_CACHE)
  if(TARGET Boost::headers AND weft_asio_header)
    set(weft_asio_boost Boost::headers)
  endif()
endif()
if(weft_asio_boost)
  add_library(weft::asio INTERFACE IMPORTED ${weft_imported_scope})
  target_link_libraries(weft::asio INTERFACE weft::weft ${weft_asio_boost})
else()
  set(reason "Boost.Asio ${WEFT_BOOST_MINIMUM} or newer is not found")
  string(APPEND reason ". Debian: apt-get install libboost-dev")
endif()
