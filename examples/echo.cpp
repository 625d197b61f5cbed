// SPDX-License-Identifier: BSL-1.0
// echo - sends back what it gets, until the client ends its side: the smallest whole server.
#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <system_error>

#include "server.hpp"

int main(int argc, char** argv) {
  examples::server_options server;
  server.grace = std::chrono::milliseconds(1000);
  int idle_ms = 60'000;
  CLI::App app{"Sends back what it gets, one fiber per connection."};
  examples::add_server_options(app, server);
  app.add_option("--idle-ms", idle_ms, "a client that sends nothing, or takes nothing, is dropped")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  return examples::run_server("echo", server, [&](weft::net::tcp_stream stream, std::stop_token) {
    std::array<std::byte, 16 * 1024> buffer;
    std::error_code ec;
    for (;;) {
      stream.set_deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(idle_ms));
      const std::size_t n = stream.read_some(buffer, ec);
      if (n == 0) return;  // its end; or it was reset, or the time is over: nobody to tell
      stream.write_all(std::span(buffer).first(n), ec);
      if (ec) return;
    }
  });
}
