// SPDX-License-Identifier: BSL-1.0
// tls/context.cpp - the settings; every function is one stretch of OpenSSL and throws its error.
#include <weft/tls/context.hpp>

#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/zero_byte.hpp"
#include "tls/context_state.hpp"
#include "tls/engine_state.hpp"
#include "tls/error.hpp"

namespace weft::tls {
namespace {

using detail::context_state;
using detail::error_queue;

void require(bool good, const error_queue& errors, const std::string& what) {
  if (!good) throw std::system_error(errors.first(), "weft: tls: " + what);
}

template <auto Free>
struct freed {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};
using bio_ptr = std::unique_ptr<::BIO, freed<::BIO_free>>;
using key_ptr = std::unique_ptr<::EVP_PKEY, freed<::EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<::X509, freed<::X509_free>>;

bio_ptr bio_over(std::string_view text) {
  if (text.size() > std::numeric_limits<int>::max())
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "weft: tls: a PEM text of 2 GiB or more");
  bio_ptr b(::BIO_new_mem_buf(text.empty() ? "" : text.data(), static_cast<int>(text.size())));
  if (!b) throw std::bad_alloc();
  return b;
}
bio_ptr open_file(const std::string& path, const error_queue& errors) {
  weft::detail::refuse_zero_byte(path, "weft: tls: the path");
  bio_ptr b(::BIO_new_file(path.c_str(), "r"));
  require(b != nullptr, errors, "reading " + path);
  return b;
}

// Never the terminal, which is what OpenSSL would ask.
int give_password(char* to, int size, int, void* given) noexcept {
  const auto& password = *static_cast<const std::string_view*>(given);
  if (password.empty() || password.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(to, password.data(), password.size());
  return static_cast<int>(password.size());
}

bool at_end_of_pem() noexcept {
  const unsigned long last = ::ERR_peek_last_error();
  return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

void use_chain(::SSL_CTX* c, ::BIO* from, const error_queue& errors, const std::string& what) {
  certificate_ptr leaf(::PEM_read_bio_X509_AUX(from, nullptr, nullptr, nullptr));
  require(leaf && ::SSL_CTX_use_certificate(c, leaf.get()) == 1, errors, what);
  ::SSL_CTX_clear_chain_certs(c);
  while (certificate_ptr next{::PEM_read_bio_X509(from, nullptr, nullptr, nullptr)})
    require(::SSL_CTX_add1_chain_cert(c, next.get()) == 1, errors, what);
  if (!at_end_of_pem()) require(false, errors, what);
}

void use_key(::SSL_CTX* c, ::BIO* from, std::string_view password, const error_queue& errors,
             const std::string& what) {
  const key_ptr key(::PEM_read_bio_PrivateKey(from, nullptr, give_password, &password));
  require(key && ::SSL_CTX_use_PrivateKey(c, key.get()) == 1, errors, what);
  require(::SSL_CTX_check_private_key(c) == 1, errors, what);
}

// What clients are told they may choose their certificate by; each function adds to it.
STACK_OF(X509_NAME) * authorities_told(::SSL_CTX* c) {
  if (auto* const list = ::SSL_CTX_get_client_CA_list(c)) return list;
  auto* const made = sk_X509_NAME_new_null();
  if (made == nullptr) throw std::bad_alloc();
  ::SSL_CTX_set_client_CA_list(c, made);
  return made;
}

int number_of(version v) noexcept { return v == version::tls1_2 ? TLS1_2_VERSION : TLS1_3_VERSION; }

}  // namespace

namespace detail {

context_state::context_state(tls::role r)
    : handle(::SSL_CTX_new(r == role::client ? ::TLS_client_method() : ::TLS_server_method())),
      side(r) {
  if (handle == nullptr) throw std::bad_alloc();
  ::SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION);
  ::SSL_CTX_set_options(
      handle, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection holds no record buffers; a write tried again may come from elsewhere.
  ::SSL_CTX_set_mode(handle, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  static constexpr unsigned char name[] = {'w', 'e', 'f', 't'};
  ::SSL_CTX_set_session_id_context(handle, name, sizeof name);
  ::SSL_CTX_set_verify(handle, r == role::client ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  install_callbacks(*this);
  if (r == role::client) keep_sessions(handle);
}

context_state::~context_state() {
  ::SSL_CTX_free(handle);
  if (key_log >= 0) ::close(key_log);
}

::SSL_CTX* context_state::ready() {
  std::call_once(defaults, [this] {
    const bool verifies = ::SSL_CTX_get_verify_mode(handle) != SSL_VERIFY_NONE;
    if (verifies && !trusts) ::SSL_CTX_set_default_verify_paths(handle);
  });
  return handle;
}

}  // namespace detail

context context::client() { return context(std::make_shared<context_state>(role::client)); }
context context::server() { return context(std::make_shared<context_state>(role::server)); }
context context::server(const std::string& chain_file, const std::string& key_file) {
  context c = server();
  c.use_certificate_chain_file(chain_file);
  c.use_private_key_file(key_file);
  return c;
}

void context::use_certificate_chain(std::string_view pem) {
  const error_queue errors;
  use_chain(native_handle(), bio_over(pem).get(), errors, "certificate chain");
}
void context::use_certificate_chain_file(const std::string& path) {
  const error_queue errors;
  use_chain(native_handle(), open_file(path, errors).get(), errors, "certificate chain in " + path);
}
void context::use_private_key(std::string_view pem, std::string_view password) {
  const error_queue errors;
  use_key(native_handle(), bio_over(pem).get(), password, errors, "private key");
}
void context::use_private_key_file(const std::string& path, std::string_view password) {
  const error_queue errors;
  use_key(native_handle(), open_file(path, errors).get(), password, errors,
          "private key in " + path);
}

void context::add_ca(std::string_view pem) {
  const error_queue errors;
  const bio_ptr from = bio_over(pem);
  ::X509_STORE* store = ::SSL_CTX_get_cert_store(native_handle());
  int found = 0;
  while (certificate_ptr next{::PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)}) {
    require(::X509_STORE_add_cert(store, next.get()) == 1, errors, "authority");
    if (role() == role::server) ::SSL_CTX_add_client_CA(native_handle(), next.get());
    ++found;
  }
  require(found > 0 && at_end_of_pem(), errors, "authorities in PEM");
  state_->trusts = true;
}
void context::add_ca_file(const std::string& path) {
  weft::detail::refuse_zero_byte(path, "weft: tls: the path");
  const error_queue errors;
  require(::SSL_CTX_load_verify_file(native_handle(), path.c_str()) == 1, errors,
          "authorities in " + path);
  if (role() == role::server)
    require(
        ::SSL_add_file_cert_subjects_to_stack(authorities_told(native_handle()), path.c_str()) == 1,
        errors, "authorities in " + path);
  state_->trusts = true;
}
void context::add_ca_directory(const std::string& path) {
  weft::detail::refuse_zero_byte(path, "weft: tls: the path");
  const error_queue errors;
  require(::SSL_CTX_load_verify_dir(native_handle(), path.c_str()) == 1, errors,
          "authorities in " + path);
  if (role() == role::server)  // of the files that can be read
    static_cast<void>(
        ::SSL_add_dir_cert_subjects_to_stack(authorities_told(native_handle()), path.c_str()));
  state_->trusts = true;
}
void context::add_default_ca() {
  const error_queue errors;
  require(::SSL_CTX_set_default_verify_paths(native_handle()) == 1, errors,
          "the system's authorities");
  state_->trusts = true;
}

void context::set_verify(verify what) {
  int mode = SSL_VERIFY_NONE;
  if (what != verify::none) mode = SSL_VERIFY_PEER;
  if (what == verify::required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  ::SSL_CTX_set_verify(native_handle(), mode, nullptr);
}
void context::set_min_version(version v) {
  const error_queue errors;
  require(::SSL_CTX_set_min_proto_version(native_handle(), number_of(v)) == 1, errors,
          "lowest version");
}
void context::set_max_version(version v) {
  const error_queue errors;
  require(::SSL_CTX_set_max_proto_version(native_handle(), number_of(v)) == 1, errors,
          "highest version");
}

void context::set_alpn(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const auto& p : protocols) {
    if (p.empty() || p.size() > 255)
      throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                              "weft: tls: a protocol's name has 1 to 255 bytes, not '" + p + "'");
    wire += static_cast<char>(p.size());
    wire += p;
  }
  const error_queue errors;
  if (role() == role::client)  // zero is success here
    require(::SSL_CTX_set_alpn_protos(native_handle(),
                                      reinterpret_cast<const unsigned char*>(wire.data()),
                                      static_cast<unsigned>(wire.size())) == 0,
            errors, "protocols");
  state_->alpn = std::move(wire);
}

void context::add_server_name(std::string_view name, const context& other) {
  if (role() != role::server || other.role() != role::server || other.state_ == state_)
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "weft: tls: a name leads from one server's context to another");
  std::string lower(name);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  state_->names[std::move(lower)] = other.state_;
}

void context::log_keys(const std::string& path) {
  weft::detail::refuse_zero_byte(path, "weft: tls: the path");
  const int f = detail::open_key_log(path.c_str());
  if (f < 0) throw std::system_error(-f, std::generic_category(), "weft: tls: key log " + path);
  if (state_->key_log >= 0) ::close(state_->key_log);
  state_->key_log = f;
}
bool context::log_keys_from_environment() {
  const char* path = ::secure_getenv("SSLKEYLOGFILE");
  if (path == nullptr || *path == '\0') return false;
  log_keys(path);
  return true;
}

role context::role() const noexcept { return state_->side; }
::ssl_ctx_st* context::native_handle() const noexcept { return state_->handle; }

}  // namespace weft::tls
