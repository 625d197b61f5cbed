// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/tls/error.hpp - what can go wrong in TLS, as std::error_code.
//
// One category holds three ranges of values: errc below; the reasons a certificate is refused
// (verify_error() gives OpenSSL's number, X509_V_ERR_...); and OpenSSL's own codes, with its text
// ("tlsv1 alert unknown ca"). Errors of the stream below pass as they are: connection_reset,
// timed_out, operation_canceled, ...

#include <system_error>
#include <type_traits>

#include <weft/detail/requirements.hpp>

namespace weft::tls {

/// The errors of weft::tls itself.
enum class errc {
  /// The stream below ended without the peer's close_notify.
  stream_truncated = 1,
};

/// The category of all errors of TLS.
[[nodiscard]] const std::error_category& category() noexcept;
/// The error code of `e`; makes errc usable as a std::error_code.
[[nodiscard]] inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), category()};
}

/// Why the certificate was refused, in OpenSSL's numbers (X509_V_ERR_CERT_HAS_EXPIRED is 10); 0 if
/// `ec` is no such error.
/// Blocks: never.
/// Example: test/unit/tls_verify_test.cpp
[[nodiscard]] int verify_error(const std::error_code& ec) noexcept;

}  // namespace weft::tls

/// Converts an errc to std::error_code.
template <>
struct std::is_error_code_enum<weft::tls::errc> : std::true_type {};
