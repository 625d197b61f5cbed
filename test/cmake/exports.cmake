# SPDX-License-Identifier: BSL-1.0
# Every namespace of a public header says WEFT_API, or only declares incomplete classes: a shared
# weft exports nothing else (include/weft/detail/export.hpp). weft::tls hides nothing, and the
# bridge to Asio is headers only.
cmake_minimum_required(VERSION 3.25)
file(GLOB_RECURSE headers RELATIVE ${ROOT} ${ROOT}/include/weft/*.hpp)
list(FILTER headers EXCLUDE REGEX "^include/weft/(asio|tls)/")
foreach(header IN LISTS headers)
  file(READ ${ROOT}/${header} text)
  string(REGEX REPLACE
    "(namespace weft[a-z_:]* {\n)((struct|class) [a-z_]+.\n)+}" "" text "${text}")
  string(REGEX REPLACE "namespace weft {\n+namespace WEFT_API" "" text "${text}")
  string(REGEX MATCH "\nnamespace weft[a-z_:]* {" plain "${text}")
  if(plain)
    message(SEND_ERROR "${header}: '${plain}' has no WEFT_API (weft/detail/export.hpp)")
  endif()
  if(text MATCHES "namespace WEFT_API [a-z_]+::")
    message(SEND_ERROR "${header}: '${CMAKE_MATCH_0}': a nested namespace definition cannot have "
                       "attributes; a shared weft would not compile")
  endif()
endforeach()
