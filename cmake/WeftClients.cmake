# SPDX-License-Identifier: BSL-1.0
# Libraries of others that examples, tests and the comparison call, and weft does not need:
# WEFT_NAME_INCLUDE_DIR and WEFT_NAME_LIBRARY, looked for once, under one name. Without one of them,
# what stands on it is left out.
include_guard(GLOBAL)
function(weft_find_client name header library)
  find_path(WEFT_${name}_INCLUDE_DIR ${header} PATH_SUFFIXES postgresql)
  find_library(WEFT_${name}_LIBRARY ${library})
  mark_as_advanced(WEFT_${name}_INCLUDE_DIR WEFT_${name}_LIBRARY)
endfunction()
weft_find_client(LIBPQ libpq-fe.h pq)
weft_find_client(HIREDIS hiredis/hiredis.h hiredis)
weft_find_client(CURL curl/curl.h curl)
weft_find_client(HTTP_PARSER http_parser.h http_parser)
