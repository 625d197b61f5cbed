// SPDX-License-Identifier: BSL-1.0
// net/endpoint.cpp - addresses between people's form and the kernel's.
#include <weft/net/endpoint.hpp>

#include <charconv>
#include <cstring>
#include <system_error>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/quoted.hpp"

namespace weft::net {
namespace {

[[noreturn]] void refuse(std::string_view text, const char* why) {
  throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                          "weft: " + detail::quoted(text) + " " + why);
}

constexpr const char* no_address =
    "is no IP address (expected such as 127.0.0.1 or ::1; names are not looked up here)";

// A zone is an interface, by name or by number.
std::uint32_t zone(std::string_view whole, std::string_view name) {
  std::uint32_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error == std::errc{} && end == name.data() + name.size() && index != 0) return index;
  // It would stop at a null character.
  index =
      name.find('\0') == std::string_view::npos ? ::if_nametoindex(std::string(name).c_str()) : 0;
  if (index == 0) refuse(whole, "names a network interface, behind the %, that does not exist");
  return index;
}

}  // namespace

endpoint::endpoint(std::string_view address, std::uint16_t port) : port_(port) {
  const std::size_t percent = address.find('%');
  const std::string text(address.substr(0, percent));
  // inet_pton stops at a null character; what follows one is no address either.
  if (text.find('\0') != std::string::npos) refuse(address, no_address);
  if (percent == std::string_view::npos && ::inet_pton(AF_INET, text.c_str(), bytes_.data()) == 1)
    return;
  family_ = family::v6;
  if (::inet_pton(AF_INET6, text.c_str(), bytes_.data()) != 1) refuse(address, no_address);
  if (percent != std::string_view::npos) scope_ = zone(address, address.substr(percent + 1));
}

endpoint endpoint::parse(std::string_view both) {
  constexpr const char* expected =
      "is no address and port (expected such as 127.0.0.1:80 or [::1]:80)";
  const std::size_t colon = both.rfind(':');
  if (colon == std::string_view::npos) refuse(both, expected);
  std::string_view address = both.substr(0, colon);
  const std::string_view digits = both.substr(colon + 1);
  const bool bracketed = address.size() >= 2 && address.front() == '[' && address.back() == ']';
  if (bracketed) address = address.substr(1, address.size() - 2);
  // An IPv6 address without brackets: its last group must not pass for a port.
  if (bracketed != (address.find(':') != std::string_view::npos)) refuse(both, expected);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size())
    refuse(both, "has no port from 0 to 65535 behind its last colon");
  return {address, port};
}

endpoint endpoint::from_native(const ::sockaddr& address, std::size_t size) {
  endpoint e;
  const auto need = [size](std::size_t at_least) {
    if (size < at_least)
      throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                              "weft: a socket address is shorter than its family needs");
  };
  if (size >= sizeof address.sa_family && address.sa_family == AF_INET) {
    sockaddr_in in;
    need(sizeof in);
    std::memcpy(&in, &address, sizeof in);
    e.port_ = ntohs(in.sin_port);
    std::memcpy(e.bytes_.data(), &in.sin_addr, sizeof in.sin_addr);
    return e;
  }
  if (size >= sizeof address.sa_family && address.sa_family == AF_INET6) {
    sockaddr_in6 in;
    need(sizeof in);
    std::memcpy(&in, &address, sizeof in);
    e.family_ = family::v6;
    e.port_ = ntohs(in.sin6_port);
    e.scope_ = in.sin6_scope_id;
    std::memcpy(e.bytes_.data(), &in.sin6_addr, sizeof in.sin6_addr);
    return e;
  }
  throw std::system_error(std::make_error_code(std::errc::address_family_not_supported),
                          "weft: a socket address is neither IPv4 nor IPv6");
}

std::size_t endpoint::to_native(::sockaddr_storage& out) const noexcept {
  std::memset(&out, 0, sizeof out);
  if (family_ == family::v4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port_);
    std::memcpy(&in.sin_addr, bytes_.data(), sizeof in.sin_addr);
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port_);
  in.sin6_scope_id = scope_;
  std::memcpy(&in.sin6_addr, bytes_.data(), sizeof in.sin6_addr);
  std::memcpy(&out, &in, sizeof in);
  return sizeof in;
}

endpoint endpoint::unmapped() const noexcept {
  constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!is_v6() || std::memcmp(bytes_.data(), mapped, sizeof mapped) != 0) return *this;
  endpoint e;
  e.port_ = port_;
  std::memcpy(e.bytes_.data(), bytes_.data() + sizeof mapped, 4);
  return e;
}

std::string endpoint::address() const {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(is_v6() ? AF_INET6 : AF_INET, bytes_.data(), text, sizeof text);
  std::string all = text;
  if (scope_ != 0) {
    char name[IF_NAMESIZE] = {};
    all += '%';
    all += ::if_indextoname(scope_, name) != nullptr ? std::string(name) : std::to_string(scope_);
  }
  return all;
}

std::string endpoint::to_string() const {
  std::string text = is_v6() ? "[" : "";
  text += address();
  text += is_v6() ? "]:" : ":";
  return text += std::to_string(port_);
}

}  // namespace weft::net
