# SPDX-License-Identifier: BSL-1.0
# weft::tls - TLS over any stream: a library of weft's that needs OpenSSL 3. A program that uses
# native_handle() links OpenSSL::SSL itself.
find_package(OpenSSL 3 QUIET)
if(TARGET OpenSSL::SSL)
  include("${here}/tlsTargets.cmake")
else()
  set(reason "OpenSSL 3 is not found. Debian: apt-get install libssl-dev")
endif()
