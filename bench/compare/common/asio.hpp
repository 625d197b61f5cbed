// SPDX-License-Identifier: BSL-1.0
// common/asio.hpp - Boost.Asio's coroutines as a subject: one io_context, WORKERS threads run it.
#pragma once

#include <utility>  // Boost 1.74's awaitable.hpp forgets it

#include <boost/asio.hpp>
#include <boost/version.hpp>

#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "common/bench.hpp"
#include "common/http.hpp"

namespace bench {

namespace asio = boost::asio;
using asio::ip::tcp;

inline void asio_version() {
  version(std::to_string(BOOST_VERSION / 100000) + "." +
          std::to_string(BOOST_VERSION / 100 % 1000));
}

/// WORKERS threads run the context, this one among them.
inline int run_context(asio::io_context& context, std::size_t workers) {
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < workers; ++i) threads.emplace_back([&] { context.run(); });
  context.run();
  return 0;
}

/// serve(tcp::socket) is a coroutine per connection.
template <class Serve>
int run_asio(std::size_t workers, Serve serve) {
  asio_version();
  asio::io_context context(static_cast<int>(workers));
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  print_port(acceptor.local_endpoint().port());
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        for (;;) {
          tcp::socket client = co_await acceptor.async_accept(asio::use_awaitable);
          client.set_option(tcp::no_delay(true));
          asio::co_spawn(context, serve(std::move(client)), asio::detached);
        }
      },
      asio::detached);
  return run_context(context, workers);
}

}  // namespace bench
