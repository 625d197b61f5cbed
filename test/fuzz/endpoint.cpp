// SPDX-License-Identifier: BSL-1.0
// test/fuzz/endpoint.cpp - addresses from any text: a refusal, or an address that reads back as it
// was printed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include <weft/net/endpoint.hpp>
#include <weft/net/unix_endpoint.hpp>

namespace {

template <class Endpoint>
void parse_and_print(std::string_view text) {
  try {
    const Endpoint e = Endpoint::parse(text);
    if (Endpoint::parse(e.to_string()) != e) std::abort();
  } catch (const std::system_error& e) {
    if (e.code() != std::errc::invalid_argument) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  parse_and_print<weft::net::endpoint>(text);
  parse_and_print<weft::net::unix_endpoint>(text);
  return 0;
}
