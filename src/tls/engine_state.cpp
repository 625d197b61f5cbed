// SPDX-License-Identifier: BSL-1.0
// tls/engine_state.cpp - a connection's beginning and end, and its buffers.
#include "tls/engine_state.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <stop_token>
#include <utility>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <weft/this_fiber.hpp>

namespace weft::tls::detail {
namespace {

[[noreturn]] void refuse(const char* why) {
  throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                          std::string("weft: tls: ") + why);
}

// Sets the name that the certificate must have, and the name that the server is asked for (SNI). An
// address is not asked for.
void expect_peer(::SSL* ssl, std::string name) {
  if (!name.empty() && name.back() == '.') name.pop_back();
  // OpenSSL would take any name that ends so.
  if (name.starts_with('.')) refuse("the peer's name begins with a dot");
  ::X509_VERIFY_PARAM* expected = ::SSL_get0_param(ssl);
  if (::X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1) return;
  ::X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (::SSL_set1_host(ssl, name.c_str()) != 1 || ::SSL_set_tlsext_host_name(ssl, name.c_str()) != 1)
    refuse("the peer's name is no host name");
}

int new_session(::SSL* ssl, ::SSL_SESSION* session) noexcept {
  auto* s = static_cast<engine_state*>(::SSL_get_ex_data(ssl, index_of_engine()));
  if (s == nullptr) return 0;
  try {
    s->session = std::shared_ptr<::SSL_SESSION>(session, ::SSL_SESSION_free);
  } catch (const std::bad_alloc&) {
    // the pointer has freed it
  }
  return 1;  // it is ours now
}

}  // namespace

int index_of_engine() noexcept {
  static const int index = ::SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

void keep_sessions(::SSL_CTX* c) noexcept {
  ::SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  ::SSL_CTX_sess_set_new_cb(c, new_session);
}

std::span<std::byte> input_buffer::room() {
  const std::size_t wanted = was_filled ? large : small;
  if (capacity < wanted) {
    data = std::make_unique_for_overwrite<std::byte[]>(wanted);
    capacity = wanted;
  }
  begin = end = 0;
  return {data.get(), capacity};
}

void input_buffer::filled(std::size_t n) noexcept {
  end = n;
  was_filled = n == capacity;
}

engine_state::engine_state(const context& c, std::string_view peer_name)
    : settings(c.state()), peer(peer_name) {
  const error_queue errors;
  const bool client = settings->side == role::client;
  if (client && peer.empty() && ::SSL_CTX_get_verify_mode(settings->handle) != SSL_VERIFY_NONE)
    refuse("a client that verifies needs the name of its peer");
  if (peer.find('\0') != std::string::npos) refuse("the peer's name has a zero byte");
  ssl = ::SSL_new(settings->ready());
  ::BIO* bio = ssl == nullptr ? nullptr : make_bio(*this);
  if (bio == nullptr) {
    ::SSL_free(ssl);
    throw std::bad_alloc();
  }
  ::SSL_set_bio(ssl, bio, bio);
  ::SSL_set_ex_data(ssl, index_of_engine(), this);
  try {
    if (client && !peer.empty()) expect_peer(ssl, peer);
  } catch (...) {
    ::SSL_free(ssl);
    throw;
  }
  if (client)
    ::SSL_set_connect_state(ssl);
  else
    ::SSL_set_accept_state(ssl);
}

engine_state::~engine_state() {
  const error_queue errors;
  ::SSL_free(ssl);
}

ssl_outcome outcome_of(engine_state& s, const openssl_stretch& stretch, int result) noexcept {
  switch (::SSL_get_error(s.ssl, result)) {
    case SSL_ERROR_WANT_READ:
      return ssl_outcome::want_input;
    case SSL_ERROR_ZERO_RETURN:
      return ssl_outcome::ended;
    default:
      break;
  }
  if (s.out_of_memory) {
    s.failed = std::make_error_code(std::errc::not_enough_memory);
    return ssl_outcome::failed;
  }
  const long refused = ::SSL_get_verify_result(s.ssl);
  s.failed = stretch.first_error();
  if (refused != X509_V_OK &&
      ::ERR_GET_REASON(::ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED)
    s.failed = verify_failure(refused);
  return ssl_outcome::failed;
}

bool lock_within(weft::mutex& m, const wait_limit& limit, const std::atomic<std::int64_t>& own,
                 std::error_code& ec) {
  if (m.try_lock()) return true;
  const auto t =
      std::min(limit.deadline, weft::detail::steady_at(own.load(std::memory_order_relaxed)));
  // As on every stream, a stop request on the calling fiber ends the wait, too.
  const std::stop_token mine = weft::this_fiber::stop_token();
  if (limit.stop == nullptr) {
    if (m.try_lock_until(mine, t)) return true;
  } else {
    std::stop_source either;
    const auto pass_on = [&either]() noexcept { either.request_stop(); };
    const std::stop_callback a(*limit.stop, pass_on), b(mine, pass_on);
    if (m.try_lock_until(either.get_token(), t)) return true;
  }
  if (!has_ended(limit, own, ec)) ec = std::make_error_code(std::errc::operation_canceled);
  return false;
}

bool has_ended(const wait_limit& limit, const std::atomic<std::int64_t>& own, std::error_code& ec) {
  if (weft::this_fiber::stop_requested() || (limit.stop != nullptr && limit.stop->stop_requested()))
    ec = std::make_error_code(std::errc::operation_canceled);
  else if (const auto t = std::min(limit.deadline,
                                   weft::detail::steady_at(own.load(std::memory_order_relaxed)));
           t <= std::chrono::steady_clock::now())
    ec = std::make_error_code(std::errc::timed_out);
  return static_cast<bool>(ec);
}

// OpenSSL is in a handshake again, and not for keys of ours: those it makes at once (update_keys).
bool has_part_of_a_message(const engine_state& s) noexcept { return ::SSL_in_init(s.ssl) != 0; }

}  // namespace weft::tls::detail
