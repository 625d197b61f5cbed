// SPDX-License-Identifier: BSL-1.0
// unit/net_endpoint_test.cpp - addresses: what is one, what is not, and how the refusal reads.
#include <cstdint>
#include <cstring>
#include <string>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "support/net.hpp"

using weft::net::endpoint;
using weft::test::thrown_by;

TEST_CASE("endpoint: addresses read back as they were written") {
  CHECK(endpoint("127.0.0.1", 80).to_string() == "127.0.0.1:80");
  CHECK(endpoint("::1", 80).to_string() == "[::1]:80");
  CHECK(endpoint("2001:db8:0:0:0:0:0:7", 65535).to_string() == "[2001:db8::7]:65535");
  CHECK(endpoint("::1", 1).is_v6());
  CHECK_FALSE(endpoint("10.1.2.3", 1).is_v6());
  CHECK(endpoint("10.1.2.3", 1).address() == "10.1.2.3");
  CHECK(endpoint() == endpoint("0.0.0.0", 0));
  for (const char* both : {"127.0.0.1:80", "[::1]:0", "[fe80::2]:65535"})
    CHECK(endpoint::parse(both).to_string() == both);
}

TEST_CASE("endpoint: a number that is no port is refused, not cut") {
  using weft::net::service;
  std::string what;
  const int high = 70000;  // was 4464
  CHECK(thrown_by([&] { endpoint("127.0.0.1", high); }, &what) == std::errc::invalid_argument);
  CHECK_MESSAGE(what.find("port 70000 is not in 0 ... 65535") != std::string::npos, what);
  CHECK(thrown_by([] { endpoint("::1", -1); }) == std::errc::invalid_argument);
  CHECK(thrown_by([] { endpoint("::1", UINT64_MAX); }) == std::errc::invalid_argument);
  CHECK(thrown_by([&] { service{high}; }) == std::errc::invalid_argument);
  CHECK(thrown_by([] { service{INT64_MIN}; }) == std::errc::invalid_argument);
  CHECK(endpoint("::1", 65535L).port() == 65535);
  CHECK(service(0).text() == "0");
  CHECK(service(std::size_t{443}).text() == "443");
}

TEST_CASE("endpoint: a zone is an interface") {
  CHECK(endpoint("fe80::1%lo", 80).address() == "fe80::1%lo");
  CHECK(endpoint("fe80::1%lo", 80) != endpoint("fe80::1", 80));
  std::string what;
  CHECK(thrown_by([] { endpoint("fe80::1%none-such", 80); }, &what) == std::errc::invalid_argument);
  CHECK(what.find("fe80::1%none-such") != std::string::npos);
}

TEST_CASE("endpoint: the IPv4 address that an IPv6 one stands for") {
  CHECK(endpoint("::ffff:192.0.2.1", 80).unmapped() == endpoint("192.0.2.1", 80));
  CHECK(endpoint("::1", 80).unmapped() == endpoint("::1", 80));
  CHECK(endpoint("192.0.2.1", 80).unmapped() == endpoint("192.0.2.1", 80));
}

TEST_CASE("endpoint: what is no address is refused by its text") {
  for (const char* bad : {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", ":::1",
                          "12345::", "1.2.3.4%lo", "[::1]", "01.2.3.4x"}) {
    CAPTURE(bad);
    std::string what;
    CHECK(thrown_by([&] { endpoint(bad, 80); }, &what) == std::errc::invalid_argument);
    CHECK(what.find('"' + std::string(bad) + '"') != std::string::npos);
  }
  std::string what;
  CHECK(thrown_by([] { endpoint(std::string_view("1.2.3.4\0x", 9), 80); }, &what) ==
        std::errc::invalid_argument);
  CHECK(what.find("\"1.2.3.4\\x00x\" is no IP address") != std::string::npos);
  for (const char* bad : {"", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4: 1",
                          "::1:80", "[::1]", "[1.2.3.4]:80", "[::1:80", "1.2.3.4:8x"}) {
    CAPTURE(bad);
    CHECK(thrown_by([&] { static_cast<void>(endpoint::parse(bad)); }) ==
          std::errc::invalid_argument);
  }
}

TEST_CASE("endpoint: to the kernel's form and back") {
  for (const char* both : {"127.0.0.1:80", "[2001:db8::7]:443"}) {
    const endpoint e = endpoint::parse(both);
    sockaddr_storage native{};
    const std::size_t size = e.to_native(native);
    CHECK(endpoint::from_native(reinterpret_cast<sockaddr&>(native), size) == e);
    CHECK(thrown_by([&] {
            static_cast<void>(endpoint::from_native(reinterpret_cast<sockaddr&>(native), size - 1));
          }) == std::errc::invalid_argument);
  }
  sockaddr_un other{};
  other.sun_family = AF_UNIX;
  CHECK(thrown_by([&] {
          static_cast<void>(
              endpoint::from_native(reinterpret_cast<sockaddr&>(other), sizeof other));
        }) == std::errc::address_family_not_supported);
}

TEST_CASE("endpoint: ordered, so that it can be a key") {
  CHECK(endpoint("1.1.1.1", 1) < endpoint("1.1.1.1", 2));
  CHECK(endpoint("1.1.1.1", 9) < endpoint("::", 1));
}

TEST_CASE("endpoint: any text is an address that reads back, or is refused") {
  constexpr std::string_view letters = "0123456789abcdef:.[]%@/lo x-";
  std::uint32_t state = 12345;
  const auto next = [&] { return state = state * 1664525 + 1013904223; };
  const std::string seeds[] = {"127.0.0.1:80", "[::1]:80", "[fe80::1%lo]:443", "[1::2:3]:4"};
  for (int i = 0; i < 20'000; ++i) {
    std::string text = seeds[(next() >> 16) % 4];
    for (int changes = static_cast<int>((next() >> 16) % 4); changes >= 0; --changes) {
      const std::size_t at = (next() >> 8) % text.size();
      text[at] = letters[(next() >> 8) % letters.size()];
      if ((next() >> 20) % 4 == 0) text.erase(at, 1);
      if (text.empty()) text = ":";
    }
    CAPTURE(text);
    std::error_code why;
    try {
      const endpoint e = endpoint::parse(text);
      why = endpoint::parse(e.to_string()) == e ? std::error_code{}
                                                : std::make_error_code(std::errc::protocol_error);
    } catch (const std::system_error& e) {
      why = e.code();
    }
    if (why && why != std::errc::invalid_argument) FAIL_CHECK("it does not read back");
  }
}
