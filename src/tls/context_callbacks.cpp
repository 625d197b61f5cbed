// SPDX-License-Identifier: BSL-1.0
// tls/context_callbacks.cpp - what OpenSSL asks a server while it is in a handshake: which name,
// which protocol; and the key log.
#include <algorithm>
#include <cctype>
#include <new>
#include <string>

#include "tls/context_state.hpp"
#include "tls/engine_state.hpp"
#include "tls/error.hpp"

namespace weft::tls::detail {
namespace {

int index_of_state() noexcept {
  static const int index = ::SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// The connection's first context, of which the names are.
const context_state* names_of(const ::SSL* ssl) noexcept {
  const auto* s = static_cast<const engine_state*>(::SSL_get_ex_data(ssl, index_of_engine()));
  return s == nullptr ? nullptr : s->settings.get();
}

// A session resumes what was verified when it began, before the name is looked at, and in TLS 1.3 a
// client may offer it to any name. So one that began with other settings does not do if these
// verify: its client may never have shown a certificate.
bool may_resume(const ::SSL* ssl, const context_state& first, const context_state& chosen) {
  if (::SSL_session_reused(ssl) == 0) return true;
  if (::SSL_CTX_get_verify_mode(chosen.handle) == SSL_VERIFY_NONE) return true;
  const char* began = ::SSL_SESSION_get0_hostname(::SSL_get0_session(ssl));
  const context_state* other = began == nullptr ? nullptr : first.named(began);
  return (other == nullptr ? &first : other) == &chosen;
}

int choose_name(::SSL* ssl, int*, void*) noexcept {
  const char* name = ::SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const context_state* first = names_of(ssl);
  if (first == nullptr) return SSL_TLSEXT_ERR_NOACK;
  context_state* other = nullptr;
  try {
    if (name != nullptr) other = first->named(name);
    if (!may_resume(ssl, *first, other == nullptr ? *first : *other))
      return SSL_TLSEXT_ERR_ALERT_FATAL;
  } catch (const std::bad_alloc&) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  if (other == nullptr) return SSL_TLSEXT_ERR_NOACK;
  // OpenSSL takes the certificate over, and leaves the rest as the first context had it.
  if (::SSL_set_SSL_CTX(ssl, other->ready()) == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
  ::SSL_set_verify(ssl, ::SSL_CTX_get_verify_mode(other->handle), nullptr);
  ::SSL_set0_CA_list(ssl, ::SSL_dup_CA_list(::SSL_CTX_get_client_CA_list(other->handle)));
  return SSL_TLSEXT_ERR_OK;
}

int choose_protocol(::SSL* ssl, const unsigned char** out, unsigned char* size,
                    const unsigned char* theirs, unsigned theirs_size, void*) noexcept {
  const context_state* here = state_of(::SSL_get_SSL_CTX(ssl));
  if (here == nullptr || here->alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
  unsigned char* chosen = nullptr;
  const int found = ::SSL_select_next_proto(
      &chosen, size, reinterpret_cast<const unsigned char*>(here->alpn.data()),
      static_cast<unsigned>(here->alpn.size()), theirs, theirs_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void log_key(const ::SSL* ssl, const char* line) noexcept {
  if (const context_state* s = state_of(::SSL_get_SSL_CTX(ssl)); s != nullptr && s->key_log >= 0)
    write_key_log(s->key_log, line);
}

}  // namespace

context_state* state_of(const ::SSL_CTX* c) noexcept {
  return static_cast<context_state*>(::SSL_CTX_get_ex_data(c, index_of_state()));
}

void install_callbacks(context_state& s) noexcept {
  ::SSL_CTX_set_ex_data(s.handle, index_of_state(), &s);
  if (s.side == role::server) {
    ::SSL_CTX_set_tlsext_servername_callback(s.handle, choose_name);
    ::SSL_CTX_set_alpn_select_cb(s.handle, choose_protocol, nullptr);
  }
  ::SSL_CTX_set_keylog_callback(s.handle, log_key);
}

context_state* context_state::named(std::string_view name) const {
  if (names.empty()) return nullptr;
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!lower.empty() && lower.back() == '.') lower.pop_back();
  auto found = names.find(lower);
  if (found == names.end()) {
    const std::size_t dot = lower.find('.');
    if (dot == std::string::npos || dot == 0) return nullptr;
    found = names.find("*" + lower.substr(dot));
  }
  return found == names.end() ? nullptr : found->second.get();
}

}  // namespace weft::tls::detail
