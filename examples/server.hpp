// SPDX-License-Identifier: BSL-1.0
#pragma once
// server.hpp - what the examples' servers share: accept, a fiber per connection, and the end.
//
//   SIGTERM, SIGINT   no more connections are taken; those that are there finish what they do
//                     (`draining` tells them); after `grace` their waits are ended
//   max_connections   the next one waits in the kernel's backlog until one has ended
//   a failure         of accept (no descriptor is left) is said and waited for; of a connection it
//                     is said, and ends that connection only
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>

#include <weft/weft.hpp>

namespace examples {

struct server_options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;
  std::ptrdiff_t max_connections = 10'000;
  std::chrono::milliseconds grace{10'000};
  weft::options runtime{};
};

/// The options as they are used on the command line.
template <class App>
void add_server_options(App& app, server_options& o) {
  app.add_option("--address", o.address, "IPv4 or IPv6 address to listen on")
      ->capture_default_str();
  app.add_option("--port", o.port, "port; 0: any free one, named on stdout")->capture_default_str();
  app.add_option("--max-connections", o.max_connections, "more wait in the backlog")
      ->check([](const std::string& text) {
        return std::atoll(text.c_str()) > 0 ? "" : "needs a positive number";
      })
      ->capture_default_str();
  app.add_option("--workers", o.runtime.workers, "processors; 0: what this process may use");
}

namespace detail {

// A connection is a descriptor, and the soft limit of most shells is 1024.
inline void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

template <class Serve>
int accept_until_signal(const server_options& o, weft::signal_set& signals, Serve& serve) {
  weft::net::tcp_listener listener(weft::net::endpoint(o.address, o.port));
  std::printf("listening on %s port %u\n", o.address.c_str(),
              static_cast<unsigned>(listener.local_endpoint().port()));
  std::fflush(stdout);
  std::stop_source draining;
  weft::counting_semaphore<> places(o.max_connections);
  weft::scope connections;
  auto end = weft::spawn([&] {
    try {
      static_cast<void>(signals.wait());
    } catch (const std::exception& e) {  // a server that no signal reaches must not go on
      std::fprintf(stderr, "signals: %s\n", e.what());
    }
    draining.request_stop();
    listener.close();
    if (weft::this_fiber::sleep_for(o.grace) == weft::wait_result::timeout)
      connections.request_stop();
  });
  while (places.acquire(draining.get_token())) {
    std::error_code ec;
    weft::net::tcp_stream stream = listener.accept(ec);
    if (draining.stop_requested()) break;
    if (ec) {
      std::fprintf(stderr, "accept: %s\n", ec.message().c_str());
      weft::this_fiber::sleep_for(std::chrono::milliseconds(50));
      places.release();
      continue;
    }
    connections.spawn([&, client = std::move(stream)]() mutable {
      try {
        serve(std::move(client), draining.get_token());
      } catch (const std::exception& e) {
        std::fprintf(stderr, "connection: %s\n", e.what());
      }
      places.release();
    });
  }
  connections.join();
  end.request_stop();
  end.join();
  return 0;
}

}  // namespace detail

/// Calls serve(tcp_stream, std::stop_token draining) in a fiber per connection, until a signal ends
/// the server. The result is main's.
template <class Serve>
int run_server(const char* program, const server_options& o, Serve serve) try {
  detail::raise_descriptor_limit();
  weft::signal_set signals{SIGTERM, SIGINT};
  return weft::run(o.runtime, [&] { return detail::accept_until_signal(o, signals, serve); });
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s: %s\n", program, e.what());
  return 1;
}

}  // namespace examples
