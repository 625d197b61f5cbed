// SPDX-License-Identifier: BSL-1.0
// tls/error.cpp - one category, three ranges: errc, refused certificates, OpenSSL's packed codes.
#include "tls/error.hpp"

#include <string>

#include <openssl/err.h>
#include <openssl/x509.h>

namespace weft::tls {
namespace {

constexpr int first_verify_error = 0x10000;  // + X509_V_ERR_...
constexpr int first_openssl = 1 << ERR_LIB_OFFSET;
static_assert(first_openssl > 2 * first_verify_error);

class tls_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "weft.tls"; }
  std::string message(int value) const override {
    if (value == static_cast<int>(errc::stream_truncated))
      return "the stream ended without a close_notify";
    if (value >= first_openssl) {
      const auto packed = static_cast<unsigned long>(value);
      if (const char* reason = ::ERR_reason_error_string(packed)) return reason;
      char text[256];
      ::ERR_error_string_n(packed, text, sizeof text);
      return text;
    }
    if (value > first_verify_error)
      return std::string("certificate refused: ") +
             ::X509_verify_cert_error_string(value - first_verify_error);
    return "unknown TLS error";
  }
};

}  // namespace

const std::error_category& category() noexcept {
  static const tls_category it;
  return it;
}

int verify_error(const std::error_code& ec) noexcept {
  const bool is =
      ec.category() == category() && ec.value() > first_verify_error && ec.value() < first_openssl;
  return is ? ec.value() - first_verify_error : 0;
}

namespace detail {

namespace {

// It is empty as a rule, and a look costs a tenth of emptying it.
void empty_queue() noexcept {
  if (::ERR_peek_error() != 0) ::ERR_clear_error();
}

}  // namespace

error_queue::error_queue() noexcept { empty_queue(); }
error_queue::~error_queue() { empty_queue(); }

std::error_code error_queue::first() const noexcept {
  const unsigned long packed = ::ERR_peek_error();
  if (packed == 0) return std::make_error_code(std::errc::protocol_error);
  const int reason = ERR_GET_REASON(packed);
  if (ERR_SYSTEM_ERROR(packed)) return {reason, std::generic_category()};
  if (reason == ERR_R_MALLOC_FAILURE) return std::make_error_code(std::errc::not_enough_memory);
  return {static_cast<int>(packed), category()};
}

std::error_code verify_failure(long x509_error) noexcept {
  return {first_verify_error + static_cast<int>(x509_error), category()};
}

}  // namespace detail
}  // namespace weft::tls
