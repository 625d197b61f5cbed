// SPDX-License-Identifier: BSL-1.0
// https_server - the HTTP server's greeting over TLS: weft::tls, one fiber per connection.
//
//   https_server --certificate chain.pem --key key.pem
//   curl --cacert ca.pem https://localhost:8443/
//
// A client has ten seconds to agree on keys. SIGTERM ends the server when every request is answered
// (server.hpp); connections end by close_notify.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <system_error>
#include <weft/tls.hpp>

#include "http.hpp"
#include "server.hpp"

namespace {

using tls_stream = weft::tls::stream<weft::net::tcp_stream>;

void answer(http::connection<tls_stream>& c, const tls_stream& stream, const http::request& r) {
  constexpr std::string_view text = "text/plain; charset=utf-8";
  if (r.method != HTTP_GET && r.method != HTTP_HEAD)
    return c.respond(405, text, "Only GET and HEAD\n", "Allow: GET, HEAD\r\n");
  if (r.target == "/") return c.respond(200, text, "Hello from weft\n");
  if (r.target != "/connection") return c.respond(404, text, "No such page\n");
  std::string about;
  about.append(stream.version()).append(" ").append(stream.cipher());
  about.append(stream.resumed() ? " resumed" : " new").append("\n");
  c.respond(200, text, about);
}

}  // namespace

int main(int argc, char** argv) {
  examples::server_options server;
  server.port = 8443;
  http::limits limits;
  std::string certificate, key;
  CLI::App app{"Serves a greeting over HTTPS, one fiber per connection."};
  examples::add_server_options(app, server);
  app.add_option("--certificate", certificate, "PEM file: the certificate, and its chain")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--key", key, "PEM file: its private key")->required()->check(CLI::ExistingFile);
  CLI11_PARSE(app, argc, argv);

  try {
    auto settings = weft::tls::context::server(certificate, key);
    settings.set_alpn({"http/1.1"});
    return examples::run_server("https_server", server,
                                [&](weft::net::tcp_stream below, std::stop_token draining) {
                                  tls_stream stream(std::move(below), settings);
                                  std::error_code ec;
                                  stream.handshake_for(std::chrono::seconds(10), ec);
                                  if (ec) return;  // no client of ours, or one that left
                                  http::connection c(stream, limits, draining);
                                  while (const http::request* r = c.next()) answer(c, stream, *r);
                                  stream.shutdown_for(std::chrono::seconds(1), ec);
                                });
  } catch (const std::exception& e) {
    std::fprintf(stderr, "https_server: %s\n", e.what());
    return 1;
  }
}
