// SPDX-License-Identifier: BSL-1.0
// unit/net_tcp_test.cpp - connections that do what they should: echo, many, half closed, big, IPv6,
// two runtimes.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/net/connect.hpp>

#include "support/in_child.hpp"
#include "support/net.hpp"

using namespace weft::test;
using weft::net::endpoint;
using weft::net::shutdown_side;
using weft::net::tcp_listener;
using weft::net::tcp_stream;

TEST_CASE("tcp: smoke - an echo") {
  at_worker_counts([] {
    tcp_listener listener(any_port);
    auto server = weft::spawn([&] {
      endpoint peer;
      tcp_stream s = listener.accept(&peer);
      echo(s);
      return peer;
    });
    tcp_stream s = tcp_stream::connect(listener.local_endpoint());
    std::array<std::byte, 64> buffer;
    for (const char* line : {"one", "two", "three"}) {
      s.write_all(bytes(line));
      const auto part = std::span(buffer).first(std::string_view(line).size());
      s.read_exactly(part);
      CHECK(text(part) == line);
    }
    CHECK(s.remote_endpoint() == listener.local_endpoint());
    const endpoint local = s.local_endpoint();
    s.shutdown(shutdown_side::send);
    CHECK(s.read_some(buffer) == 0);
    CHECK(s.read_some(buffer) == 0);  // the end stays
    CHECK(server.join() == local);
  });
}

namespace {

// In a network of its own in which the kernel has this port only to give. 77: not to be had.
int connect_to_the_only_port(std::uint16_t port) {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return 77;
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP;
  const int s = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool up = ::ioctl(s, SIOCSIFFLAGS, &loopback) == 0;
  ::close(s);
  std::ofstream range("/proc/sys/net/ipv4/ip_local_port_range");
  range << port << ' ' << port << std::flush;
  if (!up || !range) return 77;
  int wrong = 0;
  weft::run([&] {
    const std::vector<endpoint> there{endpoint("127.0.0.1", port)};
    std::error_code ec;
    static_cast<void>(tcp_stream::connect(there.front(), ec));
    if (ec != std::errc::connection_refused) wrong += 1;
    static_cast<void>(weft::net::connect_to_any(there, ec));
    if (ec != std::errc::connection_refused) wrong += 2;
    const auto listener = tcp_listener::listen(there.front(), ec);  // nobody keeps the port
    if (ec) wrong += 4;
  });
  return wrong;
}

}  // namespace

TEST_CASE(
    "tcp: a port at which nobody listens refuses, also if the kernel gives it to the caller") {
  const int code = in_child([] { return connect_to_the_only_port(40'000); }).exit_code;
  if (code == 77)
    MESSAGE("skipped: no network of its own is to be had here");
  else
    CHECK(code == 0);
}

TEST_CASE("tcp: half closed, the other half goes on") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    std::array<std::byte, 16> buffer;
    a.write_all(bytes("request"));
    a.shutdown(shutdown_side::send);
    CHECK(text(std::span(buffer).first(b.read_some(buffer))) == "request");
    CHECK(b.read_some(buffer) == 0);
    CHECK(b.write(bytes("answer")) == 6);
    b.close();
    CHECK(text(std::span(buffer).first(a.read_some(buffer))) == "answer");
    CHECK(a.read_some(buffer) == 0);
    std::error_code ec;
    CHECK(a.write_some(bytes("x"), ec) == 0);
    CHECK(ec == std::errc::broken_pipe);  // and no SIGPIPE
    CHECK(a.write(bytes("x"), ec) == 0);
    CHECK(ec == std::errc::broken_pipe);
  });
}

TEST_CASE("tcp: data and end together, behind a short read, are not slept through") {
  at_worker_counts([] {
    for (int round = 0; round < 50; ++round) {
      auto ab = connected_pair();
      tcp_stream &a = ab.first, &b = ab.second;
      std::array<std::byte, 64> buffer;
      auto reader = weft::spawn([&] {
        std::size_t n = 0;
        while (const std::size_t more = b.read_some(buffer)) n += more;
        return n;
      });
      a.write_all(bytes("a"));
      if (round % 2 != 0) weft::this_fiber::yield();
      a.write_all(bytes("bc"));
      a.close();
      CHECK(reader.join() == 3);
    }
  });
}

TEST_CASE("tcp: urgent data do not hide what lies behind them") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    std::array<std::byte, 64> buffer;
    auto reader = weft::spawn([&] {
      std::size_t n = 0;
      while (const std::size_t more = b.read_some(buffer)) n += more;
      return n;
    });
    for (int i = 0; i < 20; ++i) {
      a.write_all(bytes("before"));
      REQUIRE(::send(a.native_handle(), "!", 1, MSG_OOB | MSG_NOSIGNAL) == 1);
      a.write_all(bytes("behind"));
      weft::this_fiber::yield();
    }
    a.close();
    CHECK(reader.join() >= 20 * 12);  // a second urgent byte turns the first into an ordinary one
  });
}

TEST_CASE("tcp: a big transfer both ways at once arrives as it was sent") {
  at_worker_counts([] {
    constexpr std::size_t size = 8 << 20;
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    const auto data = pattern(size);
    const auto send = [&](tcp_stream& s) {
      s.write_all(data);
      s.shutdown(shutdown_side::send);
    };
    const auto receive = [&](tcp_stream& s) {
      std::vector<std::byte> got(size);
      s.read_exactly(got);
      std::byte more;
      return got == data && s.read_some({&more, 1}) == 0;
    };
    auto send_a = weft::spawn([&] { send(a); });
    auto send_b = weft::spawn([&] { send(b); });
    auto read_a = weft::spawn([&] { return receive(a); });
    CHECK(receive(b));
    CHECK(read_a.join());
    send_a.join();
    send_b.join();
  });
}

TEST_CASE("tcp: a stream that ends early is an error of read_exactly") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    a.write_all(bytes("abc"));
    a.close();
    std::array<std::byte, 8> buffer;
    std::error_code ec;
    CHECK(b.read_exactly(buffer, ec) == 3);
    CHECK(ec == weft::net::net_errc::end_of_stream);
    CHECK_THROWS_AS(b.read_exactly(buffer), std::system_error);
  });
}

TEST_CASE("tcp: stampede - a thousand connections at once, several fibers accept") {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const std::size_t clients = limit.rlim_cur > 2200 ? 1000 : limit.rlim_cur / 4;
  at_worker_counts([clients] {
    tcp_listener listener(any_port);
    std::atomic<std::size_t> accepted{0};
    std::vector<weft::fiber<void>> acceptors;
    weft::scope served;
    for (int i = 0; i < 3; ++i)
      acceptors.push_back(weft::spawn([&] {
        for (;;) {
          std::error_code ec;
          tcp_stream s = listener.accept(ec);
          if (ec) return;  // closed below
          accepted.fetch_add(1);
          served.spawn([s = std::move(s)]() mutable { echo(s); });
        }
      }));
    std::vector<tcp_stream> open(clients);
    weft::scope dial;
    for (std::size_t i = 0; i < clients; ++i)
      dial.spawn([&, i] {
        open[i] = tcp_stream::connect(listener.local_endpoint());
        const auto message = pattern(100, i);
        open[i].write_all(message);
        std::vector<std::byte> back(message.size());
        open[i].read_exactly(back);
        if (back != message) throw std::runtime_error("connection " + std::to_string(i));
      });
    dial.join();
    CHECK(accepted.load() == clients);
    open.clear();
    listener.close();
    for (auto& a : acceptors) a.join();
    served.join();
  });
}

TEST_CASE("tcp: IPv6") {
  at_worker_counts([] {
    std::error_code ec;
    tcp_listener listener = tcp_listener::listen({"::1", 0}, ec);
    if (ec) {
      MESSAGE("skipped: this machine has no IPv6 loopback (" << ec.message() << ")");
      return;
    }
    auto server = weft::spawn([&] {
      tcp_stream s = listener.accept();
      echo(s);
    });
    tcp_stream s = tcp_stream::connect(listener.local_endpoint());
    CHECK(s.remote_endpoint().is_v6());
    s.write_all(bytes("six"));
    std::array<std::byte, 3> buffer;
    s.read_exactly(buffer);
    CHECK(text(buffer) == "six");
    s.close();
    server.join();
  });
}

TEST_CASE("tcp: plain threads use the same sockets") {
  at_worker_counts([] {
    tcp_listener listener(any_port);
    std::thread client([at = listener.local_endpoint()] {
      tcp_stream s(at);
      const auto data = pattern(1 << 20);
      std::thread writer([&] { s.write_all(data); });
      std::vector<std::byte> back(data.size());
      s.read_exactly(back);
      writer.join();
      CHECK(back == data);
    });
    tcp_stream s = listener.accept();
    echo(s);
    client.join();
  });
}

TEST_CASE("tcp: a plain thread accepts what fibers connect") {
  tcp_listener listener(any_port);
  std::thread server([&] {
    tcp_stream s = listener.accept();
    echo(s);
  });
  at_worker_counts([] {});
  weft::runtime r;
  CHECK(r.spawn([&] {
           tcp_stream s(listener.local_endpoint());
           s.write_all(bytes("hi"));
           std::array<std::byte, 2> buffer;
           s.read_exactly(buffer);
           return std::string(text(buffer));
         }).join() == "hi");
  server.join();
}

TEST_CASE("tcp: two runtimes share one stream, and it outlives the one that had it first") {
  weft::options o;
  o.workers = 2;
  weft::runtime second(o);
  auto first = std::make_unique<weft::runtime>(o);
  auto ab = first->spawn([] { return connected_pair(); }).join();
  tcp_stream &a = ab.first, &b = ab.second;
  const auto read_one = [&a] {
    std::byte one;
    return a.read_some({&one, 1});
  };
  // Registered with the first runtime's poller, then waited for by the second's fibers, too.
  auto reader = first->spawn(read_one);
  second.spawn([&b] { b.write_all(bytes("x")); }).join();
  CHECK(reader.join() == 1);
  auto other = second.spawn(read_one);
  first->spawn([&b] { b.write_all(bytes("y")); }).join();
  CHECK(other.join() == 1);
  // This one is parked, or about to, when the first runtime and its poller go.
  auto late = second.spawn(read_one);
  first.reset();
  second.spawn([&b] { b.write_all(bytes("z")); }).join();
  CHECK(late.join() == 1);
}

TEST_CASE("tcp: what is no connection fails by name") {
  at_worker_counts([] {
    endpoint nobody;
    {
      tcp_listener gone(any_port);
      nobody = gone.local_endpoint();
    }
    std::string what;
    CHECK(thrown_by([&] { tcp_stream s(nobody); }, &what) == std::errc::connection_refused);
    CHECK(what.find(nobody.to_string()) != std::string::npos);
    tcp_stream none;
    std::byte one;
    std::error_code ec;
    CHECK(none.read_some({&one, 1}, ec) == 0);
    CHECK(ec == std::errc::bad_file_descriptor);
    CHECK_FALSE(none.is_open());
    CHECK(none.native_handle() == -1);
    tcp_listener taken(any_port);
    CHECK(thrown_by([&] { tcp_listener again(taken.local_endpoint()); }, &what) ==
          std::errc::address_in_use);
    CHECK(what.find(taken.local_endpoint().to_string()) != std::string::npos);
  });
}

TEST_CASE("tcp: handles are given away and taken over") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    std::byte one;
    auto parked = weft::spawn([&] {
      std::error_code ec;
      static_cast<void>(b.read_some({&one, 1}, ec));
    });
    a.write_all(bytes("1"));
    parked.join();  // b is registered with the poller
    const int number = b.release();
    REQUIRE(number >= 0);
    CHECK_FALSE(b.is_open());
    tcp_stream again = tcp_stream::adopt(number);
    CHECK(again.remote_endpoint() == a.local_endpoint());
    auto reader = weft::spawn([&] { return again.read_some({&one, 1}); });
    a.write_all(bytes("2"));
    CHECK(reader.join() == 1);
    CHECK(thrown_by([] { static_cast<void>(tcp_stream::adopt(-1)); }) ==
          std::errc::bad_file_descriptor);
  });
}
