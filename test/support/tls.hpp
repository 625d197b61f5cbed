// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/tls.hpp - certificates made on the spot, a stream in memory, and a pair that has shaken
// hands.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <weft/tls.hpp>

#include "support/net.hpp"

namespace weft::test {

struct certificate {
  std::string pem, key_pem;
  std::shared_ptr<::X509> x509;
  std::shared_ptr<::EVP_PKEY> key;
};

inline std::string contents(::BIO* b) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(b, &data);
  std::string text(data, static_cast<std::size_t>(size));
  ::BIO_free(b);
  return text;
}

struct wanted {
  std::string names;                     // "DNS:a.example,IP:127.0.0.1"; empty: an authority
  long from = -3600, until = 24 * 3600;  // seconds from now
};

/// Signed by `issuer`, or by itself.
inline certificate make_certificate(const wanted& w, const certificate* issuer = nullptr) {
  static long serial = 1;
  certificate c;
  c.key = {::EVP_EC_gen("P-256"), ::EVP_PKEY_free};
  c.x509 = {::X509_new(), ::X509_free};
  ::X509* x = c.x509.get();
  ::X509_set_version(x, 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(x), ++serial);
  ::X509_gmtime_adj(::X509_getm_notBefore(x), w.from);
  ::X509_gmtime_adj(::X509_getm_notAfter(x), w.until);
  ::X509_set_pubkey(x, c.key.get());
  const std::string name = (w.names.empty() ? "weft authority " : "weft ") + std::to_string(serial);
  ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  ::X509* const signer = issuer == nullptr ? x : issuer->x509.get();
  ::X509_set_issuer_name(x, ::X509_get_subject_name(signer));
  const auto extend = [&](int nid, const char* value) {
    ::X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    ::X509V3_set_ctx(&ctx, signer, x, nullptr, nullptr, 0);
    ::X509_EXTENSION* e = ::X509V3_EXT_conf_nid(nullptr, &ctx, nid, value);
    ::X509_add_ext(x, e, -1);
    ::X509_EXTENSION_free(e);
  };
  if (w.names.empty())
    extend(NID_basic_constraints, "critical,CA:TRUE");
  else
    extend(NID_subject_alt_name, w.names.c_str());
  ::X509_sign(x, issuer == nullptr ? c.key.get() : issuer->key.get(), ::EVP_sha256());
  ::BIO* b = ::BIO_new(::BIO_s_mem());
  ::PEM_write_bio_X509(b, x);
  c.pem = contents(b);
  b = ::BIO_new(::BIO_s_mem());
  ::PEM_write_bio_PrivateKey(b, c.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  c.key_pem = contents(b);
  return c;
}

inline const certificate& authority() {
  static const certificate it = make_certificate({});
  return it;
}
/// For "localhost", "server.example" and 127.0.0.1.
inline const certificate& server_certificate() {
  static const certificate it =
      make_certificate({"DNS:localhost,DNS:server.example,IP:127.0.0.1"}, &authority());
  return it;
}

inline tls::context server_context(const certificate& c = server_certificate()) {
  auto s = tls::context::server();
  s.use_certificate_chain(c.pem);
  s.use_private_key(c.key_pem);
  return s;
}
inline tls::context client_context() {
  auto c = tls::context::client();
  c.add_ca(authority().pem);
  return c;
}

/// A directory that goes away.
class scratch {
 public:
  scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "weft-tls-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~scratch() { std::filesystem::remove_all(path_); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name)) << text;
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

using tcp_tls = tls::stream<net::tcp_stream>;

/// Both ends of a connection over loopback, after the handshake.
inline std::pair<tcp_tls, tcp_tls> tls_pair(const tls::context& client = client_context(),
                                            const tls::context& server = server_context(),
                                            const std::string& name = "localhost") {
  auto [a, b] = connected_pair();
  tcp_tls near(std::move(a), client, name), far(std::move(b), server);
  auto other = weft::spawn([&] { far.handshake(); });
  near.handshake();
  other.join();
  return {std::move(near), std::move(far)};
}

}  // namespace weft::test
