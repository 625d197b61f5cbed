// SPDX-License-Identifier: BSL-1.0
// tcp_proxy - passes connections on to another address, both ways at once.
//
//   client ==> proxy ==> upstream     this fiber
//   client <== proxy <== upstream     a child: the scope waits for it
//
// A side that ends its stream ends it at the other side only (half-close). A side that is slow
// slows the other one down: what is read is written before more is read. A side that fails, or both
// being silent for too long, ends both.
#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <system_error>

#include "server.hpp"

namespace {

using clock_type = std::chrono::steady_clock;
using weft::net::tcp_stream;

class pair_of_streams {
 public:
  pair_of_streams(tcp_stream client, tcp_stream upstream, std::chrono::milliseconds idle)
      : client_(std::move(client)), upstream_(std::move(upstream)), idle_(idle) {}

  void run() {
    weft::scope back;
    back.spawn([this] { pass(upstream_, client_); });
    pass(client_, upstream_);
  }

 private:
  void pass(tcp_stream& from, tcp_stream& to) {
    std::array<std::byte, 32 * 1024> buffer;
    std::error_code ec;
    for (;;) {
      const auto limit = std::chrono::milliseconds(idle_);
      from.set_read_deadline(clock_type::now() + limit);
      const std::size_t n = from.read_some(buffer, ec);
      if (ec == std::errc::timed_out && clock_type::now() < last_.load() + limit) continue;
      if (n == 0) break;
      last_ = clock_type::now();
      to.set_write_deadline(last_.load() + limit);
      to.write_all(std::span(buffer).first(n), ec);
      if (ec) break;
    }
    if (!ec) to.shutdown(weft::net::shutdown_side::send, ec);
    if (ec) {  // the other direction's waits end, too
      from.close();
      to.close();
    }
  }

  tcp_stream client_, upstream_;
  std::chrono::milliseconds idle_;
  std::atomic<clock_type::time_point> last_{clock_type::now()};  // something was passed on
};

}  // namespace

int main(int argc, char** argv) {
  examples::server_options server;
  server.descriptors_each = 2;
  std::string to;
  int idle_ms = 60'000, connect_ms = 5'000;
  CLI::App app{"Passes TCP connections on to another address."};
  examples::add_server_options(app, server);
  app.add_option("--to", to, "address and port of the upstream, such as 127.0.0.1:8080")
      ->required();
  app.add_option("--idle-ms", idle_ms, "connections that are silent for so long are closed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--connect-ms", connect_ms, "the upstream must take a connection within")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  weft::net::endpoint upstream;
  try {
    upstream = weft::net::endpoint::parse(to);
  } catch (const std::system_error& e) {
    std::fprintf(stderr, "tcp_proxy: --to: %s\n", e.what());
    return 1;
  }
  return examples::run_server("tcp_proxy", server, [&](tcp_stream client, std::stop_token) {
    std::error_code ec;
    tcp_stream there = tcp_stream::connect(
        upstream, clock_type::now() + std::chrono::milliseconds(connect_ms), ec);
    if (ec) {
      std::fprintf(stderr, "upstream %s: %s\n", to.c_str(), ec.message().c_str());
      return;
    }
    pair_of_streams(std::move(client), std::move(there), std::chrono::milliseconds(idle_ms)).run();
  });
}
