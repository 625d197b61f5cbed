// SPDX-License-Identifier: BSL-1.0
// echo: a fiber per connection that writes back what it reads.
#include <array>
#include <cstddef>
#include <span>
#include <system_error>

#include <weft/net/tcp.hpp>

#include "common/http.hpp"
#include "common/weft.hpp"

namespace {

void serve(weft::net::tcp_stream stream) {
  std::array<std::byte, 512> buffer;
  std::error_code ec;
  while (!ec) {
    const std::size_t n = stream.read_some(std::span(buffer), ec);
    if (n == 0) return;
    stream.write_all(std::span<const std::byte>(buffer).first(n), ec);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = bench::parse(argc, argv, {});
  return bench::run_weft(arguments.workers, [] {
    weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));
    bench::print_port(listener.local_endpoint().port());
    for (;;) weft::spawn(serve, listener.accept()).detach();
    return 0;
  });
}
