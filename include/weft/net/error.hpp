// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/error.hpp - the errors of the network that std::errc has no name for.
//
// All others are std::errc: timed_out (a deadline), operation_canceled (a stop request, or a close
// from another fiber), bad_file_descriptor (closed or never open), connection_refused, broken_pipe,
// ...

#include <system_error>
#include <type_traits>

#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

namespace weft {
namespace WEFT_API net {

/// The errors.
enum class net_errc {
  /// The peer ended the stream in the middle of what was to be read.
  end_of_stream = 1,
};

/// The category of these errors, "weft.net".
[[nodiscard]] const std::error_category& net_category() noexcept;
/// The error code of `e`; makes net_errc usable as a std::error_code.
[[nodiscard]] inline std::error_code make_error_code(net_errc e) noexcept {
  return {static_cast<int>(e), net_category()};
}

}  // namespace WEFT_API net
}  // namespace weft

/// Converts a net_errc to std::error_code.
template <>
struct std::is_error_code_enum<weft::net::net_errc> : std::true_type {};
