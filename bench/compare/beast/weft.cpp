// SPDX-License-Identifier: BSL-1.0
// beast: a fiber per connection, Beast's blocking functions on weft's stream.
#include <utility>  // Boost 1.74's awaitable.hpp forgets it

#include <weft/asio/stream.hpp>
#include <weft/net/tcp.hpp>

#include "beast/beast.hpp"
#include "common/http.hpp"
#include "common/weft.hpp"

namespace {

void serve(weft::net::tcp_stream client) {
  weft::asio::stream<weft::net::tcp_stream> stream(std::move(client));
  bench::serve_by_beast(stream);
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
