// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/tls/context.hpp - what many connections have in common: certificates, whom to trust, which
// protocols.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weft/detail/requirements.hpp>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace weft::tls {

enum class role : std::uint8_t { client, server };

/// Whether the peer has to show a certificate that can be verified.
enum class verify : std::uint8_t {
  none,      // whatever it shows is accepted
  if_given,  // of a client: it may show none, but none that is refused
  required,
};

enum class version : std::uint8_t { tls1_2, tls1_3 };

namespace detail {
struct context_state;
}

/// The settings of a client or of a server. Copies share them: a handle.
///
/// Set it up first, then make streams of it, from any fibers and threads; a context that streams
/// were made of is not changed any more. TLS 1.2 and 1.3 are spoken, without compression and
/// renegotiation. A server hands out session tickets.
///
/// Throws: everything that sets something, std::system_error with OpenSSL's text, or the file
/// system's error for a file. Blocks: files are read in place, with plain system calls.
/// Example: test/unit/tls_stream_test.cpp
class context {
 public:
  /// A client's: the server must show a certificate for the name that the stream is given. Trusts
  /// what was added, or, if nothing was, the authorities of the system.
  [[nodiscard]] static context client();
  /// A server's: asks no certificate of its clients.
  [[nodiscard]] static context server();
  /// The same with a certificate chain and its key, PEM files.
  [[nodiscard]] static context server(const std::string& chain_file, const std::string& key_file);

  /// The certificate this side shows, followed by those that lead to the authority; PEM.
  void use_certificate_chain(std::string_view pem);
  void use_certificate_chain_file(const std::string& path);
  /// Its key, PEM; the certificate comes first. invalid_argument or OpenSSL's error if they do not
  /// belong together. Nobody is asked for a password: an encrypted key needs it here.
  void use_private_key(std::string_view pem, std::string_view password = {});
  void use_private_key_file(const std::string& path, std::string_view password = {});

  /// Authorities to trust: certificates in PEM, a file of them, a directory in OpenSSL's form
  /// (`openssl rehash`), those of the system.
  void add_ca(std::string_view pem);
  void add_ca_file(const std::string& path);
  void add_ca_directory(const std::string& path);
  void add_default_ca();

  /// `none` for a client means that anybody can sit in between: for tests.
  void set_verify(verify what);
  void set_min_version(version v);
  void set_max_version(version v);

  /// The application protocols, best first ("h2", "http/1.1"). A server takes the first of its own
  /// that the client knows, and refuses the client if there is none; without a list it takes no
  /// part. stream::alpn() says which it is.
  void set_alpn(const std::vector<std::string>& protocols);

  /// To clients that ask for `name` the server is `other`: its certificate, its verification, its
  /// protocols. "*.example.com" stands for one label in front. Any other name gets this one's.
  void add_server_name(std::string_view name, const context& other);

  /// Appends the keys of all connections to a file, for Wireshark: whoever has it reads everything.
  /// The file is made with mode 0600. From the environment: the file that SSLKEYLOGFILE names;
  /// false if it names none.
  void log_keys(const std::string& path);
  bool log_keys_from_environment();

  [[nodiscard]] tls::role role() const noexcept;
  /// For all that has no function here; still owned by this object.
  [[nodiscard]] ::ssl_ctx_st* native_handle() const noexcept;

  // For streams only.
  [[nodiscard]] const std::shared_ptr<detail::context_state>& state() const noexcept {
    return state_;
  }

 private:
  explicit context(std::shared_ptr<detail::context_state> s) noexcept : state_(std::move(s)) {}

  std::shared_ptr<detail::context_state> state_;
};

}  // namespace weft::tls
