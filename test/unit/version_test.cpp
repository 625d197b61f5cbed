// SPDX-License-Identifier: BSL-1.0
// The library linked and the headers compiled against are the same weft.
#include <weft/version.hpp>

#include <doctest/doctest.h>

#include <string>

TEST_CASE("library and headers state the same version") {
  const std::string headers = std::to_string(WEFT_VERSION_MAJOR) + "." +
                              std::to_string(WEFT_VERSION_MINOR) + "." +
                              std::to_string(WEFT_VERSION_PATCH);
  CHECK(headers == weft::version());
}
