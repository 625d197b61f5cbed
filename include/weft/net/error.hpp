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
  /// There is no such name, or it has no address of that family.
  host_not_found,
  /// The name server did not answer, or not now: a later attempt may succeed.
  host_not_found_yet,
  /// The name server answered that it cannot say.
  name_server_failure,
  /// There is no such service of TCP or UDP.
  service_not_found,
  /// Too many names are being looked up, or too many of this domain.
  resolver_busy,
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
