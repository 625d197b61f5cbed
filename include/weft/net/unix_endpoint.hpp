// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/unix_endpoint.hpp - the name of a Unix socket: a path, an abstract name, or none.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

struct sockaddr;
struct sockaddr_storage;

namespace weft {
namespace WEFT_API net {

/// The address of a Unix socket. A value; the default is unnamed.
class unix_endpoint {
 public:
  /// The most bytes of a path. An abstract name has at most 107.
  static constexpr std::size_t max_size = 108;

  /// Unnamed.
  constexpr unix_endpoint() noexcept = default;

  /// An address as text: "/run/app.sock", "app.sock". "@app" is the abstract name "app", which has
  /// no file (a file of that name is "./@app").
  /// Throws: std::system_error with invalid_argument, the text and what is wrong with it.
  explicit unix_endpoint(std::string_view text);
  /// An abstract name of any bytes.
  /// Throws: as the constructor.
  [[nodiscard]] static unix_endpoint abstract(std::string_view name);
  /// As the constructor, but "unix:" may stand in front.
  [[nodiscard]] static unix_endpoint parse(std::string_view text);

  /// The endpoint of the kernel's form.
  /// Throws: std::system_error with address_family_not_supported unless it is AF_UNIX;
  /// invalid_argument if `size` is too large.
  [[nodiscard]] static unix_endpoint from_native(const ::sockaddr& address, std::size_t size);
  /// Writes the kernel's form and returns its size.
  std::size_t to_native(::sockaddr_storage& out) const noexcept;

  /// True if it has no name.
  [[nodiscard]] bool is_unnamed() const noexcept { return size_ == 0; }
  /// True if it is an abstract name.
  [[nodiscard]] bool is_abstract() const noexcept { return size_ != 0 && name_[0] == '\0'; }
  /// True if it is a path.
  [[nodiscard]] bool is_path() const noexcept { return size_ != 0 && name_[0] != '\0'; }
  /// The path, or the abstract name without its mark; empty if unnamed.
  [[nodiscard]] std::string_view name() const noexcept {
    return is_abstract() ? std::string_view(name_.data() + 1, size_ - 1U)
                         : std::string_view(name_.data(), size_);
  }
  /// "/run/app.sock", "@app" or "(unnamed)". parse() reads the first two back. A file "@app" is
  /// "./@app".
  [[nodiscard]] std::string to_string() const;

  /// Orders addresses by their bytes.
  friend constexpr auto operator<=>(const unix_endpoint&, const unix_endpoint&) noexcept = default;

 private:
  std::array<char, max_size> name_{};  // as in sun_path: abstract ones begin with '\0'
  std::uint8_t size_ = 0;
};

}  // namespace WEFT_API net
}  // namespace weft
