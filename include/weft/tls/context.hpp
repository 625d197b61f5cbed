// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/tls/context.hpp - what many connections have in common: certificates, authorities,
// protocols.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weft/detail/requirements.hpp>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace weft::tls {

/// The side of a connection.
enum class role : std::uint8_t { client, server };

/// Whether the peer must show a certificate that can be verified.
enum class verify : std::uint8_t {
  /// Any certificate is accepted, and none.
  none,
  /// A client may show none; a certificate that it shows must be valid.
  if_given,
  /// The peer must show a valid certificate.
  required,
};

/// The version of the protocol.
enum class version : std::uint8_t { tls1_2, tls1_3 };

namespace detail {
struct context_state;
}

/// The settings of a client or of a server. Copies refer to the same settings.
///
/// Set it up first, then make streams of it, from any fibers and threads; do not change it after
/// that. TLS 1.2 and 1.3 are spoken, without compression and renegotiation. A server hands out
/// session tickets.
/// Blocks: files are read in place, with plain system calls.
/// Throws: each function that sets something throws std::system_error with OpenSSL's text, or with
/// the file system's error.
/// Example: test/unit/tls_stream_test.cpp [tls]
/// ```
///   auto server = weft::tls::context::server();
///   server.use_certificate_chain(chain);
///   server.use_private_key(key);
///   auto client = weft::tls::context::client();
///   client.add_ca(authority_pem);
/// ```
class context {
 public:
  /// The settings of a client: the server must show a certificate for the name that the stream is
  /// given. It trusts the authorities that are added or, if there are none, those of the system.
  [[nodiscard]] static context client();
  /// The settings of a server, which requests no certificate of its clients.
  [[nodiscard]] static context server();
  /// The same with a certificate chain and its key, both PEM files.
  [[nodiscard]] static context server(const std::string& chain_file, const std::string& key_file);

  /// Sets the certificate of this side, followed by those that lead to the authority, in PEM.
  void use_certificate_chain(std::string_view pem);
  /// The same from a PEM file.
  void use_certificate_chain_file(const std::string& path);

  /// Sets the key of the certificate, in PEM; the certificate must be set before. If the key is
  /// encrypted, `password` decrypts it.
  /// Throws: std::system_error with invalid_argument or OpenSSL's error if key and certificate do
  /// not belong together.
  void use_private_key(std::string_view pem, std::string_view password = {});
  /// The same from a PEM file.
  void use_private_key_file(const std::string& path, std::string_view password = {});

  /// Adds authorities to trust, as certificates in PEM.
  void add_ca(std::string_view pem);
  /// Adds the authorities in a PEM file.
  void add_ca_file(const std::string& path);
  /// Adds the authorities in a directory in OpenSSL's form (`openssl rehash`).
  void add_ca_directory(const std::string& path);
  /// Adds the authorities of the system.
  void add_default_ca();

  /// Sets whether the peer must show a certificate. For a client `none` lets any server pose as the
  /// peer: use it only in tests.
  void set_verify(verify what);
  /// Sets the lowest version that is accepted.
  void set_min_version(version v);
  /// Sets the highest version that is accepted.
  void set_max_version(version v);

  /// Sets the application protocols, best first ("h2", "http/1.1").
  ///
  /// A server takes the first of its own that the client knows, and refuses the client if there is
  /// none. A server without a list takes no part. stream::alpn() returns the result.
  void set_alpn(const std::vector<std::string>& protocols);

  /// Serves clients that request `name` with the settings of `other`: its certificate, verification
  /// and protocols. "*.example.com" stands for one label in front. Any other name gets this
  /// context's settings. Settings that verify clients refuse one that offers a session which began
  /// with other settings.
  /// Lifetime: `other`'s settings are kept; two contexts that name each other are never freed.
  void add_server_name(std::string_view name, const context& other);

  /// Appends the keys of all connections to a file, for Wireshark. A reader of the file can decrypt
  /// everything. It is created with mode 0600.
  void log_keys(const std::string& path);
  /// The same with the file that the environment variable SSLKEYLOGFILE names; false if it names
  /// none.
  bool log_keys_from_environment();

  /// Client or server.
  [[nodiscard]] tls::role role() const noexcept;
  /// OpenSSL's object, which this object still owns, for what has no function here.
  [[nodiscard]] ::ssl_ctx_st* native_handle() const noexcept;

  /// For weft's own streams.
  [[nodiscard]] const std::shared_ptr<detail::context_state>& state() const noexcept {
    return state_;
  }

 private:
  explicit context(std::shared_ptr<detail::context_state> s) noexcept : state_(std::move(s)) {}

  std::shared_ptr<detail::context_state> state_;
};

}  // namespace weft::tls
