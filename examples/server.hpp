// SPDX-License-Identifier: BSL-1.0
#pragma once
// server.hpp - what the examples' servers share: accept, a fiber per connection, and the end.
//
//   SIGTERM, SIGINT   no more connections are taken; those that are there finish what they do
//                     (`draining` tells them); after `grace`, or at a second signal, their waits
//                     are ended
//   max_connections   the next one waits in the kernel's backlog until one has ended. As many are
//                     taken as there are descriptors for all that each of them needs
//   a failure         of accept, or to start a fiber, is said and waited for; of a connection it is
//                     said, and ends that connection only
#include <sys/resource.h>

#include <algorithm>
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
  std::ptrdiff_t descriptors_each = 1;      // of a connection: its own, a file's, an upstream's
  std::ptrdiff_t descriptors_besides = 64;  // all others of the process
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
inline std::ptrdiff_t raised_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  return static_cast<std::ptrdiff_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 30));
}

// More would get half of what they need: a proxy's client without an upstream.
inline std::ptrdiff_t connections_at_once(const server_options& o) {
  const std::ptrdiff_t left = raised_descriptor_limit() - o.descriptors_besides;
  return std::clamp<std::ptrdiff_t>(left / o.descriptors_each, 1, o.max_connections);
}

template <class Serve>
int accept_until_signal(const server_options& o, weft::signal_set& signals, Serve& serve) {
  weft::net::tcp_listener listener(weft::net::endpoint(o.address, o.port));
  std::printf("listening on %s port %u\n", o.address.c_str(),
              static_cast<unsigned>(listener.local_endpoint().port()));
  std::fflush(stdout);
  std::stop_source draining;
  weft::counting_semaphore<> places(connections_at_once(o));
  weft::scope connections;
  auto end = weft::spawn([&] {
    const auto over = weft::this_fiber::stop_token();  // all connections have ended
    try {
      static_cast<void>(signals.wait(over));
      draining.request_stop();
      listener.close();
      static_cast<void>(signals.wait_for(o.grace, over));
    } catch (const std::exception& e) {  // a server that no signal reaches must not go on
      std::fprintf(stderr, "signals: %s\n", e.what());
    }
    draining.request_stop();
    listener.close();
    connections.request_stop();
  });
  const auto wait_after = [&](const char* what, const char* why) {
    std::fprintf(stderr, "%s: %s\n", what, why);
    weft::this_fiber::sleep_for(std::chrono::milliseconds(50));
    places.release();
  };
  while (places.acquire(draining.get_token())) {
    std::error_code ec;
    weft::net::tcp_stream stream = listener.accept(ec);
    if (draining.stop_requested()) break;
    if (ec) {
      wait_after("accept", ec.message().c_str());
      continue;
    }
    try {
      connections.spawn([&, client = std::move(stream)]() mutable {
        try {
          serve(std::move(client), draining.get_token());
        } catch (const std::exception& e) {
          std::fprintf(stderr, "connection: %s\n", e.what());
        }
        places.release();
      });
    } catch (const std::exception& e) {  // no memory for its stack: the client is dropped
      wait_after("a connection cannot be served", e.what());
    }
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
  weft::signal_set signals{SIGTERM, SIGINT};
  return weft::run(o.runtime, [&] { return detail::accept_until_signal(o, signals, serve); });
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s: %s\n", program, e.what());
  return 1;
}

}  // namespace examples
