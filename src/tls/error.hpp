// SPDX-License-Identifier: BSL-1.0
#pragma once
// tls/error.hpp - OpenSSL's error queue, which belongs to the thread.

#include <system_error>

#include <weft/tls/error.hpp>

namespace weft::tls::detail {

/// A stretch of calls to OpenSSL, in which nothing may wait: the queue is empty when it begins, and
/// nothing is left in it for others on this thread when it ends. [TLS-1]
class error_queue {
 public:
  error_queue() noexcept;
  ~error_queue();
  error_queue(const error_queue&) = delete;
  error_queue& operator=(const error_queue&) = delete;

  /// The first error of the stretch: the cause, those behind it say what failed for that reason.
  [[nodiscard]] std::error_code first() const noexcept;
};

[[nodiscard]] std::error_code verify_failure(long x509_error) noexcept;

}  // namespace weft::tls::detail
