// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/tls/session.hpp - what a client keeps of a connection, to resume it in the next one.

#include <memory>
#include <string>
#include <utility>

#include <weft/detail/requirements.hpp>

struct ssl_session_st;  // OpenSSL's SSL_SESSION

namespace weft::tls {

namespace detail {
class engine;
}

/// A session of a client: stream::session() returns it, and stream::set_session() of a later
/// connection to the same name resumes it, if the server agrees. A value; copies share. TLS 1.3
/// servers expect each ticket to be used once.
/// Example: test/unit/tls_session_test.cpp
class session {
 public:
  session() noexcept = default;
  /// True if there is one.
  [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }
  /// The name that was given for the peer; a session resumes nothing else.
  [[nodiscard]] const std::string& peer() const noexcept { return peer_; }
  /// Still owned by this object.
  [[nodiscard]] ::ssl_session_st* native_handle() const noexcept { return handle_.get(); }

 private:
  friend class detail::engine;
  session(std::shared_ptr<::ssl_session_st> handle, std::string peer) noexcept
      : handle_(std::move(handle)), peer_(std::move(peer)) {}

  std::shared_ptr<::ssl_session_st> handle_;
  std::string peer_;
};

}  // namespace weft::tls
