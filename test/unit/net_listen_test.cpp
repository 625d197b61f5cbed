// SPDX-License-Identifier: BSL-1.0
// unit/net_listen_test.cpp - listeners: both families, a shared port, one that was made elsewhere;
// and what can be set on a connection.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stop_token>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/net.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::net::endpoint;
using weft::net::ip_stack;
using weft::net::port_sharing;
using weft::net::tcp_listener;
using weft::net::tcp_stream;

namespace {

int option_of(const weft::net::socket& s, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(s.native_handle(), level, name, &value, &size) == 0);
  return value;
}

}  // namespace

TEST_CASE("listen: a dual listener takes IPv4 and IPv6, a single one only its own") {
  at_worker_counts([] {
    std::error_code ec;
    tcp_listener both = tcp_listener::listen({"::", 0}, {.stack = ip_stack::dual}, ec);
    if (ec) {
      MESSAGE("skipped: this machine has no IPv6 (" << ec.message() << ")");
      return;
    }
    const std::uint16_t port = both.local_endpoint().port();
    endpoint peer;
    tcp_stream four({"127.0.0.1", port});
    tcp_stream of_four = both.accept(&peer);
    CHECK(peer.is_v6());
    CHECK(peer.unmapped() == four.local_endpoint());
    tcp_stream six({"::1", port});
    tcp_stream of_six = both.accept(&peer);
    CHECK(peer == six.local_endpoint());
    CHECK(peer.unmapped() == peer);
    tcp_listener single({"::", 0});
    CHECK(thrown_by([&] { tcp_stream({"127.0.0.1", single.local_endpoint().port()}); }) ==
          std::errc::connection_refused);
  });
}

TEST_CASE("listen: a port is shared by those who all want to") {
  at_worker_counts([] {
    tcp_listener one(any_port, {.sharing = port_sharing::spread});
    const endpoint at = one.local_endpoint();
    tcp_listener two(at, {.backlog = 16, .sharing = port_sharing::spread});
    std::string what;
    CHECK(thrown_by([&] { tcp_listener three(at); }, &what) == std::errc::address_in_use);
    CHECK(what.find(at.to_string()) != std::string::npos);
    one.close();
    tcp_stream client(at);
    CHECK(two.accept().is_open());
  });
}

TEST_CASE("listen: a listener that was made elsewhere is adopted, anything else is not") {
  at_worker_counts([] {
    const int number = ::socket(AF_INET, SOCK_STREAM, 0);  // blocking, inherited by children
    REQUIRE(number >= 0);
    std::string what;
    CHECK(thrown_by([&] { static_cast<void>(tcp_listener::adopt(number)); }, &what) ==
          std::errc::invalid_argument);
    CHECK(what.find(std::to_string(number)) != std::string::npos);
    REQUIRE(::listen(number, 8) == 0);
    tcp_listener listener = tcp_listener::adopt(number);
    const std::uint16_t port = listener.local_endpoint().port();
    auto client = weft::spawn([&] {
      tcp_stream s({"127.0.0.1", port});
      s.write_all("hello");
    });
    tcp_stream s = listener.accept();
    std::array<std::byte, 5> room;
    s.read_exactly(room);
    CHECK(text(room) == "hello");
    client.join();
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    CHECK(thrown_by([&] { static_cast<void>(tcp_listener::adopt(pipe_ends[0])); }) ==
          std::errc::not_a_socket);
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(thrown_by([&] { static_cast<void>(tcp_listener::adopt(pair[0])); }) ==
          std::errc::invalid_argument);
    ::close(pair[0]);
    ::close(pair[1]);
    CHECK(thrown_by([] { static_cast<void>(tcp_listener::adopt(-1)); }) ==
          std::errc::bad_file_descriptor);
  });
}

TEST_CASE("accept: a time, a moment and a token end its wait; a connect's, too") {
  at_worker_counts([] {
    tcp_listener listener(any_port);
    std::error_code ec;
    CHECK_FALSE(listener.accept_for(1ms, ec).is_open());
    CHECK(ec == std::errc::timed_out);
    CHECK(thrown_by([&] {
            static_cast<void>(listener.accept_until(std::chrono::system_clock::now() + 1ms));
          }) == std::errc::timed_out);
    std::stop_source stop;
    auto accepting = weft::spawn([&] {
      std::error_code why;
      CHECK_FALSE(listener.accept(stop.get_token(), why).is_open());
      return why;
    });
    weft::this_fiber::sleep_for(1ms);
    stop.request_stop();
    CHECK(accepting.join() == std::errc::operation_canceled);
    CHECK(tcp_stream::connect_for(listener.local_endpoint(), 1h).is_open());
    CHECK(listener.accept_for(1h).is_open());
    CHECK(tcp_stream::connect(std::stop_token(), listener.local_endpoint(), ec).is_open());
  });
}

TEST_CASE("connect: a peer that does not answer is given up in time") {
  at_worker_counts([] {
    // The backlog of a listener that nobody accepts at is full at last: then the kernel is silent.
    const tcp_listener full(any_port, 0);
    const std::vector<tcp_stream> waiting = fill_backlog(full);
    std::stop_source stop;
    auto connecting = weft::spawn([&] {
      std::error_code why;
      static_cast<void>(tcp_stream::connect(stop.get_token(), full.local_endpoint(), why));
      return why;
    });
    weft::this_fiber::sleep_for(1ms);
    stop.request_stop();
    CHECK(connecting.join() == std::errc::operation_canceled);
  });
}

namespace {

// The kernel still has a socket at that port, whose other end is at that one.
bool knows_socket(std::uint16_t port, std::uint16_t other) {
  char local[8], remote[8];
  std::snprintf(local, sizeof local, ":%04X", port);
  std::snprintf(remote, sizeof remote, ":%04X", other);
  std::ifstream all("/proc/net/tcp");
  for (std::string number, from, to, rest; all >> number >> from >> to; std::getline(all, rest))
    if (from.ends_with(local) && to.ends_with(remote)) return true;
  return false;
}

}  // namespace

TEST_CASE("tcp: a linger time makes no close wait, and ends what the kernel sends afterwards") {
  weft::run([] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    const std::string much(64 * 1024, 'x');
    std::error_code ec;
    while (!ec) a.write_all_for(much, 10ms, ec);  // the peer reads nothing
    const std::uint16_t port = a.local_endpoint().port(), other = b.local_endpoint().port();
    a.set_linger(1h);
    linger native{};
    socklen_t size = sizeof native;
    REQUIRE(::getsockopt(a.native_handle(), SOL_SOCKET, SO_LINGER, &native, &size) == 0);
    CHECK(native.l_onoff == 0);  // or close(2) waits for an hour
    a.set_linger(1s);
    CHECK(option_of(a, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);  // not before the close
    a.close();
    while (knows_socket(port, other)) weft::this_fiber::sleep_for(10ms);
    std::vector<char> room(much.size());
    do static_cast<void>(b.read_some_for(room, 20s, ec));
    while (!ec);
    CHECK(ec == std::errc::connection_reset);
  });
}

TEST_CASE("tcp: what is set on a connection") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream& a = ab.first;
    CHECK(option_of(a, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option_of(ab.second, IPPROTO_TCP, TCP_NODELAY) == 1);
    a.set_no_delay(weft::net::no_delay::off);
    CHECK(option_of(a, IPPROTO_TCP, TCP_NODELAY) == 0);
    a.set_keep_alive(weft::net::keep_alive{.idle = 7s, .interval = 3s, .count = 2});
    CHECK(option_of(a, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option_of(a, IPPROTO_TCP, TCP_KEEPIDLE) == 7);
    CHECK(option_of(a, IPPROTO_TCP, TCP_KEEPINTVL) == 3);
    CHECK(option_of(a, IPPROTO_TCP, TCP_KEEPCNT) == 2);
    a.set_keep_alive(std::nullopt);
    CHECK(option_of(a, SOL_SOCKET, SO_KEEPALIVE) == 0);
    a.set_send_buffer(8192);
    CHECK(option_of(a, SOL_SOCKET, SO_SNDBUF) == 2 * 8192);
    a.set_receive_buffer(8192);
    CHECK(option_of(a, SOL_SOCKET, SO_RCVBUF) == 2 * 8192);
    a.set_linger(0s);
    a.close();
    std::array<std::byte, 1> room;
    std::error_code ec;
    CHECK(ab.second.read_some(room, ec) == 0);
    CHECK(ec == std::errc::connection_reset);
    CHECK(thrown_by([&] { a.set_linger(1s); }) == std::errc::bad_file_descriptor);
  });
}
