// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/error.hpp - the errors of the network that std::errc has no name for.
//
// Everything else is std::errc: timed_out (a deadline), operation_canceled (a stop request, or a
// close from another fiber), bad_file_descriptor (closed or never open), connection_refused,
// broken_pipe, ...

#include <system_error>
#include <type_traits>

#include <weft/detail/requirements.hpp>

namespace weft::net {

enum class net_errc {
  end_of_stream = 1,  // the peer ended the stream in the middle of what was to be read
};

[[nodiscard]] const std::error_category& net_category() noexcept;
[[nodiscard]] inline std::error_code make_error_code(net_errc e) noexcept {
  return {static_cast<int>(e), net_category()};
}

}  // namespace weft::net

template <>
struct std::is_error_code_enum<weft::net::net_errc> : std::true_type {};
