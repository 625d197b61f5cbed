// SPDX-License-Identifier: BSL-1.0
// beast: a thread per connection, Beast's blocking functions on Asio's socket.
#include <utility>  // Boost 1.74's awaitable.hpp forgets it

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "beast/beast.hpp"
#include "common/http.hpp"
#include "common/thread.hpp"

int main(int argc, char** argv) {
  namespace asio = boost::asio;
  using asio::ip::tcp;
  bench::begin_threads(bench::parse(argc, argv, {}));
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  bench::print_port(acceptor.local_endpoint().port());
  for (;;) {
    tcp::socket client = acceptor.accept();
    client.set_option(tcp::no_delay(true));
    std::thread([stream = std::move(client)]() mutable { bench::serve_by_beast(stream); }).detach();
  }
}
