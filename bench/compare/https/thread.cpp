// SPDX-License-Identifier: BSL-1.0
// https: a thread per connection, OpenSSL's blocking calls.
#include <openssl/ssl.h>

#include <csignal>
#include <memory>

#include "common/thread_server.hpp"
#include "https/https.hpp"

namespace {

void serve(int fd, SSL_CTX* settings, bool once) {
  const std::unique_ptr<SSL, void (*)(SSL*)> stream(SSL_new(settings), SSL_free);
  SSL* const s = stream.get();
  SSL_set_fd(s, fd);
  if (SSL_accept(s) == 1) {
    bool broken = false;
    bench::serve_requests(
        once,
        [&](char* to, std::size_t size) {
          const int n = SSL_read(s, to, int(size));
          broken = n <= 0 && SSL_get_error(s, n) != SSL_ERROR_ZERO_RETURN;
          return std::size_t(n > 0 ? n : 0);
        },
        [&](std::string_view text) {
          broken = SSL_write(s, text.data(), int(text.size())) != int(text.size());
          return !broken;
        });
    if (!broken) SSL_shutdown(s);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = bench::parse(argc, argv, {"ONCE"});
  bench::begin_threads(arguments);
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX* const settings = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_mode(settings, SSL_MODE_RELEASE_BUFFERS);  // as weft::tls
  if (SSL_CTX_use_certificate_chain_file(settings, bench::certificate_file().c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(settings, bench::key_file().c_str(), SSL_FILETYPE_PEM) != 1) {
    std::fprintf(stderr, "no certificate\n");
    return 1;
  }
  return bench::run_thread_server(
      [settings, once = arguments[0] != 0](int fd) { serve(fd, settings, once); });
}
