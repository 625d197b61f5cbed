// SPDX-License-Identifier: BSL-1.0
// net/unix_endpoint.cpp - names of Unix sockets between people's form and the kernel's.
#include <weft/net/unix_endpoint.hpp>

#include <algorithm>
#include <cstring>
#include <system_error>

#include <sys/socket.h>
#include <sys/un.h>

#include "net/quoted.hpp"

namespace weft::net {
namespace {

constexpr std::size_t name_offset = offsetof(sockaddr_un, sun_path);

[[noreturn]] void refuse(std::string_view text, const char* why) {
  throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                          "weft: " + detail::quoted(text) + " " + why);
}

}  // namespace

unix_endpoint::unix_endpoint(std::string_view text) {
  static_assert(sizeof(sockaddr_un::sun_path) == max_size);
  if (text.starts_with('@')) {
    *this = abstract(text.substr(1));
    return;
  }
  if (text.empty())
    refuse(text, "is no name of a Unix socket (expected a path such as /run/app.sock, or @name)");
  if (text.find('\0') != std::string_view::npos)
    refuse(text, "has a null character, which no path has");
  if (text.size() > max_size)
    refuse(text, "is longer than 108 bytes, which no Unix socket's path is");
  std::memcpy(name_.data(), text.data(), text.size());
  size_ = static_cast<std::uint8_t>(text.size());
}

unix_endpoint unix_endpoint::abstract(std::string_view name) {
  if (name.empty()) refuse(name, "is no abstract name of a Unix socket: it is empty");
  if (name.size() >= max_size)
    refuse(name, "is longer than 107 bytes, which no Unix socket's name is");
  unix_endpoint e;
  std::memcpy(e.name_.data() + 1, name.data(), name.size());
  e.size_ = static_cast<std::uint8_t>(name.size() + 1);
  return e;
}

unix_endpoint unix_endpoint::parse(std::string_view text) {
  constexpr std::string_view scheme = "unix:";
  return unix_endpoint(text.starts_with(scheme) ? text.substr(scheme.size()) : text);
}

unix_endpoint unix_endpoint::from_native(const ::sockaddr& address, std::size_t size) {
  if (size < sizeof address.sa_family || address.sa_family != AF_UNIX)
    throw std::system_error(std::make_error_code(std::errc::address_family_not_supported),
                            "weft: a socket address is not of the family AF_UNIX");
  // Of a path that fills sun_path the kernel counts a null character behind it, too.
  if (size > sizeof(sockaddr_un) + 1)
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "weft: a socket address is longer than its family allows");
  unix_endpoint e;
  if (size <= name_offset) return e;
  std::size_t n = std::min(size - name_offset, max_size);
  std::memcpy(e.name_.data(), reinterpret_cast<const char*>(&address) + name_offset, n);
  // A path ends at its null character; of an abstract name each byte counts.
  if (e.name_[0] != '\0') n = ::strnlen(e.name_.data(), n);
  if (n == 1 && e.name_[0] == '\0') n = 0;
  std::memset(e.name_.data() + n, 0, e.name_.size() - n);
  e.size_ = static_cast<std::uint8_t>(n);
  return e;
}

std::size_t unix_endpoint::to_native(::sockaddr_storage& out) const noexcept {
  std::memset(&out, 0, sizeof out);
  out.ss_family = AF_UNIX;
  std::memcpy(reinterpret_cast<char*>(&out) + name_offset, name_.data(), size_);
  return name_offset + size_ + (is_path() && size_ < max_size ? 1U : 0U);
}

std::string unix_endpoint::to_string() const {
  if (is_unnamed()) return "(unnamed)";
  // A file whose name would read as something else.
  const bool misleads = is_path() && (name().starts_with('@') || name().starts_with("unix:"));
  return (is_abstract() ? "@" : misleads ? "./" : "") + std::string(name());
}

}  // namespace weft::net
