// SPDX-License-Identifier: BSL-1.0
// http10k: http/weft.cpp, and each request waits 10 ms: a sleep of its fiber.
#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <system_error>

#include <weft/net/tcp.hpp>
#include <weft/this_fiber.hpp>

#include "common/http.hpp"
#include "common/weft.hpp"

namespace {

void serve(weft::net::tcp_stream stream) {
  bench::head_scanner scanner;
  std::array<std::byte, 4096> buffer;
  const auto response = std::as_bytes(std::span(bench::http_response));
  std::error_code ec;
  while (!ec) {
    const std::size_t n = stream.read_some(buffer, ec);
    if (n == 0) return;
    const std::string_view data(reinterpret_cast<const char*>(buffer.data()), n);
    for (auto left = scanner.complete_in(data); left > 0 && !ec; --left) {
      weft::this_fiber::sleep_for(std::chrono::milliseconds(10));
      stream.write_all(response, ec);
    }
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
