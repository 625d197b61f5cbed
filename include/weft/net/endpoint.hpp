// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/endpoint.hpp - an IP address and a port: the name of one end of a connection.

#include <array>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

struct sockaddr;
struct sockaddr_storage;

namespace weft {
namespace WEFT_API detail {

/// An integer, which a parameter of 16 bits would cut.
template <class T>
concept wide_integer =
    std::integral<T> && !std::same_as<T, bool> && (sizeof(T) > 1 && sizeof(T) <= 8);

template <wide_integer T>
[[nodiscard]] std::uint16_t port_of(T number) {
  const auto wide = static_cast<std::int64_t>(number);  // negative, if it was 2^63 or more
  if (wide < 0 || wide > 65535)
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "weft: port " + std::to_string(number) + " is not in 0 ... 65535");
  return static_cast<std::uint16_t>(wide);
}

}  // namespace WEFT_API detail
}  // namespace weft

namespace weft {
namespace WEFT_API net {

/// An IPv4 or IPv6 address and a port. A value; the default is 0.0.0.0, port 0.
/// Example: test/unit/examples_api_test.cpp [endpoint]
/// ```
///   const weft::net::endpoint web("192.0.2.1", 80);
///   const auto same = weft::net::endpoint::parse("192.0.2.1:80");
///   const std::string text = weft::net::endpoint("::1", 443).to_string();  // "[::1]:443"
/// ```
class endpoint {
 public:
  /// The version of the protocol.
  enum class family : std::uint8_t { v4, v6 };

  /// 0.0.0.0, port 0.
  constexpr endpoint() noexcept = default;

  /// An address as text: "127.0.0.1", "::1", "fe80::1%eth0". Names are not looked up.
  /// Throws: std::system_error with invalid_argument and the text that is no address, or the number
  /// that is no port.
  /// Example: test/unit/net_endpoint_test.cpp
  endpoint(std::string_view address, std::uint16_t port);
  template <detail::wide_integer T>
  endpoint(std::string_view address, T port) : endpoint(address, detail::port_of(port)) {}

  /// An address and port in one text: "127.0.0.1:80", "[::1]:80".
  /// Throws: as the constructor.
  [[nodiscard]] static endpoint parse(std::string_view address_and_port);

  /// The endpoint of the kernel's form.
  /// Throws: std::system_error with address_family_not_supported unless it is AF_INET or AF_INET6;
  /// invalid_argument if `size` is too small for its family.
  [[nodiscard]] static endpoint from_native(const ::sockaddr& address, std::size_t size);
  /// Writes the kernel's form and returns its size.
  std::size_t to_native(::sockaddr_storage& out) const noexcept;

  /// The address as text, without the port.
  [[nodiscard]] std::string address() const;
  /// The port.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// True for an IPv6 address.
  [[nodiscard]] bool is_v6() const noexcept { return family_ == family::v6; }
  /// The IPv4 address that an IPv6 address stands for: "192.0.2.1" for "::ffff:192.0.2.1", which is
  /// how a dual listener names IPv4 peers. Every other address is returned as it is.
  [[nodiscard]] endpoint unmapped() const noexcept;
  /// "127.0.0.1:80", "[::1]:80". parse() reads it back.
  [[nodiscard]] std::string to_string() const;

  /// Orders endpoints by family, port and address.
  friend constexpr auto operator<=>(const endpoint&, const endpoint&) noexcept = default;

 private:
  family family_ = family::v4;
  std::uint16_t port_ = 0;
  std::uint32_t scope_ = 0;               // of a link-local IPv6 address
  std::array<std::uint8_t, 16> bytes_{};  // network order; IPv4 uses the first four
};

}  // namespace WEFT_API net
}  // namespace weft
