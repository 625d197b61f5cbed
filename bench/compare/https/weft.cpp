// SPDX-License-Identifier: BSL-1.0
// https: a fiber per connection, weft::tls.
#include <span>
#include <string_view>
#include <system_error>

#include <weft/net/tcp.hpp>
#include <weft/tls.hpp>

#include "common/weft.hpp"
#include "https/https.hpp"

namespace {

void serve(weft::net::tcp_stream below, const weft::tls::context& settings, bool once) {
  weft::tls::stream stream(std::move(below), settings);
  std::error_code ec;
  bench::serve_requests(
      once, [&](char* to, std::size_t size) { return stream.read_some(std::span(to, size), ec); },
      [&](std::string_view text) {
        stream.write_all(text, ec);
        return !ec;
      });
  stream.shutdown(ec);
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = bench::parse(argc, argv, {"ONCE"});
  const bool once = arguments[0] != 0;
  return bench::run_weft(arguments.workers, [once] {
    auto settings = weft::tls::context::server(bench::certificate_file(), bench::key_file());
    weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));
    bench::print_port(listener.local_endpoint().port());
    for (;;)
      weft::spawn([&settings, once, client = listener.accept()]() mutable {
        serve(std::move(client), settings, once);
      }).detach();
    return 0;
  });
}
