// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/zero_byte.hpp - texts that go to the system as C strings. It would read up to the first zero
// byte, and so open another file or start another program.

#include <string>
#include <string_view>
#include <system_error>

#include "base/one_line.hpp"

namespace weft::detail {

[[nodiscard]] inline bool has_zero_byte(std::string_view text) noexcept {
  return text.find('\0') != std::string_view::npos;
}

/// Throws std::system_error with invalid_argument if the system would not see all of `text`. The
/// error's text is `what`, then `text`.
inline void refuse_zero_byte(std::string_view text, const std::string& what) {
  if (has_zero_byte(text))
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            what + " has a zero byte: " + one_line(text));
}

}  // namespace weft::detail
