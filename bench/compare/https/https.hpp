// SPDX-License-Identifier: BSL-1.0
// https/https.hpp - what the C++ subjects of https share. The size ONCE says whether a connection
// is for one request only; then each has a handshake of its own.
#pragma once

#include <cstdlib>
#include <string>

#include "common/bench.hpp"
#include "common/http.hpp"

namespace bench {

inline std::string from_environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) {
    std::fprintf(stderr, "tools/compare sets %s\n", name);
    std::exit(2);
  }
  return value;
}
inline std::string certificate_file() { return from_environment("WEFT_COMPARE_CERTIFICATE"); }
inline std::string key_file() { return from_environment("WEFT_COMPARE_KEY"); }

/// Serves one connection: `read(buffer, size)` returns 0 at its end, `write(text)` false.
template <class Read, class Write>
void serve_requests(bool once, Read read, Write write) {
  head_scanner scanner;
  char buffer[4096];
  for (;;) {
    const std::size_t n = read(buffer, sizeof buffer);
    if (n == 0) return;
    for (auto left = scanner.complete_in({buffer, n}); left > 0; --left)
      if (!write(once ? last_http_response : http_response) || once) return;
  }
}

}  // namespace bench
