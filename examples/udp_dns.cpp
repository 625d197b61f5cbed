// SPDX-License-Identifier: BSL-1.0
// udp_dns - a small name server: IPv4 names of its own, and a forwarder for all others.
//
//   udp_dns --port 5353 --name printer.lan=192.168.0.9 --upstream 9.9.9.9:53
//   dig -p 5353 @127.0.0.1 printer.lan
//
// One fiber receives. Each question that is passed on is a fiber with a socket of its own,
// connected to the upstream: the kernel chooses its port and takes answers from there only, and the
// number is random, so that others can hardly answer in its place. The upstream is asked twice;
// then the client gets SERVFAIL. Questions beyond --in-flight are dropped: clients ask again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <random>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <weft/weft.hpp>

#include "dns.hpp"

namespace {

using dns::message;
using dns::question;
using weft::net::endpoint;

class name_server {
 public:
  name_server(std::map<std::string, std::string> names, const endpoint& upstream, int in_flight)
      : names_(std::move(names)), upstream_(upstream), places_(in_flight) {}

  void serve(weft::net::udp_socket& socket, const std::stop_token& stop) {
    weft::scope questions;
    message room(dns::largest);
    while (!stop.stop_requested()) {
      std::error_code ec;
      const auto got = socket.receive(stop, room, ec);
      if (ec && !stop.stop_requested()) {  // no memory, say: not once more at once
        fmt::print(stderr, "receive: {}\n", ec.message());
        weft::this_fiber::sleep_for(std::chrono::milliseconds(10));
      }
      if (ec || got.truncated()) continue;  // a query that is cut is none
      const message query(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(got.size));
      const question q(query);
      if (!q.valid || dns::is_response(query)) continue;
      if (const auto own = names_.find(q.name); own != names_.end()) {
        socket.send_to(dns::address_response(query, q, own->second), got.from, ec);
      } else if (places_.try_acquire()) {
        try {
          questions.spawn([this, &socket, query, q, from = got.from] {
            std::error_code lost;
            socket.send_to(forwarded(query, q), from, lost);
            places_.release();
          });
        } catch (const std::exception&) {  // no memory for a stack: as one too many
          places_.release();
        }
      }
    }
  }

 private:
  message forwarded(const message& query, const question& q) const {
    using namespace std::chrono_literals;
    std::random_device random;
    for (int attempt = 0; attempt < 2; ++attempt) try {
        weft::net::udp_socket socket(endpoint(upstream_.is_v6() ? "::" : "0.0.0.0", 0));
        socket.connect(upstream_);
        message asked = query, answer(dns::largest);
        asked[0] = static_cast<unsigned char>(random());
        asked[1] = static_cast<unsigned char>(random());
        const auto end = std::chrono::steady_clock::now() + 1s;
        socket.set_deadline(end);
        socket.send(asked);
        while (std::chrono::steady_clock::now() < end) {  // a deadline alone ends waits only
          answer.resize(dns::largest);
          answer.resize(socket.receive(answer).size);
          if (!dns::is_response(answer) || answer[0] != asked[0] || answer[1] != asked[1]) continue;
          if (!question(answer).is(q)) continue;
          answer[0] = query[0];
          answer[1] = query[1];
          return answer;
        }
      } catch (const std::system_error&) {  // no answer in time, nobody there, no descriptor left
      }
    return dns::make_response(query, q, ns_r_servfail);
  }

  std::map<std::string, std::string> names_;
  endpoint upstream_;
  weft::counting_semaphore<> places_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1", upstream = "127.0.0.1:53";
  std::uint16_t port = 5353;
  int in_flight = 1000;
  std::vector<std::string> names;
  CLI::App app{"A small name server and forwarder."};
  app.add_option("--address", address, "IPv4 or IPv6 address")->capture_default_str();
  app.add_option("--port", port, "port; 0: any free one, named on stdout")->capture_default_str();
  app.add_option("--name", names, "NAME=ADDRESS, answered here; may be repeated");
  app.add_option("--upstream", upstream, "who is asked for other names")->capture_default_str();
  app.add_option("--in-flight", in_flight, "questions to the upstream at once")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    std::map<std::string, std::string> own;
    for (const std::string& n : names) {
      const std::size_t at = std::min(n.find('='), n.size() - 1);
      own[dns::lower(n.substr(0, at))] =
          endpoint(n.substr(at + 1), 0).address();  // throws if it is none
    }
    name_server server(own, endpoint::parse(upstream), in_flight);
    weft::signal_set end{SIGTERM, SIGINT};
    return weft::run([&] {
      weft::net::udp_socket socket(endpoint(address, port));
      fmt::print("listening on {} port {}\n", address, socket.local_endpoint().port());
      std::fflush(stdout);
      std::stop_source stop;
      weft::scope ender;
      ender.spawn([&] {
        if (end.wait(weft::this_fiber::stop_token())) stop.request_stop();
      });
      server.serve(socket, stop.get_token());
      return 0;
    });
  } catch (const std::exception& e) {
    fmt::print(stderr, "udp_dns: {}\n", e.what());
    return 1;
  }
}
