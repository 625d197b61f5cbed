// SPDX-License-Identifier: BSL-1.0
#pragma once
// tls/context_state.hpp - what a context is: OpenSSL's, and what its callbacks look at.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

#include <weft/tls/context.hpp>

namespace weft::tls::detail {

struct context_state {
  explicit context_state(tls::role r);
  ~context_state();
  context_state(const context_state&) = delete;
  context_state& operator=(const context_state&) = delete;

  /// For SSL_new: trusts the system if nothing else was added.
  [[nodiscard]] ::SSL_CTX* ready();
  /// Of the server's names the one that fits, or null.
  [[nodiscard]] context_state* named(std::string_view name) const;

  ::SSL_CTX* const handle;
  const tls::role side;
  bool trusts = false;  // some authority was added
  std::once_flag defaults;
  std::string alpn;  // as on the wire: length, name, length, name
  std::map<std::string, std::shared_ptr<context_state>, std::less<>> names;  // in lower case
  int key_log = -1;
};

/// The state behind OpenSSL's context; null if it is not one of ours.
[[nodiscard]] context_state* state_of(const ::SSL_CTX* c) noexcept;

/// Callbacks run inside OpenSSL: none of them waits, none calls the application. [TLS-1]
void install_callbacks(context_state& s) noexcept;
void write_key_log(int file, const char* line) noexcept;
/// A descriptor, or -errno.
[[gnu::noinline]] int open_key_log(const char* path) noexcept;

}  // namespace weft::tls::detail
