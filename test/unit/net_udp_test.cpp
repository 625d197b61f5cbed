// SPDX-License-Identifier: BSL-1.0
// unit/net_udp_test.cpp - UDP: to anybody and to one peer, truncation, batches, what ends a wait.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/metrics.hpp>
#include <weft/net/udp.hpp>

#include "support/net.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::net::endpoint;
using weft::net::udp_socket;

TEST_CASE("udp: an echo between unconnected sockets") {
  at_worker_counts([] {
    udp_socket server(any_port);
    auto serving = weft::spawn([&] {
      std::array<std::byte, 64> room;
      for (int i = 0; i < 3; ++i) {
        const auto query = server.receive(room);
        server.send_to({"re: ", std::span(room).first(query.size)}, query.from);
      }
    });
    udp_socket client(any_port);
    std::array<std::byte, 64> room;
    for (const char* word : {"one", "two", ""}) {
      client.send_to(std::string_view(word), server.local_endpoint());
      const auto answer = client.receive(room);
      CHECK(text(std::span(room).first(answer.size)) == "re: " + std::string(word));
      CHECK(answer.from == server.local_endpoint());
      CHECK_FALSE(answer.truncated());
    }
    serving.join();
  });
}

TEST_CASE("udp: a connected socket hears its peer only, and that it is gone") {
  at_worker_counts([] {
    udp_socket peer(any_port), stranger(any_port), mine(any_port);
    mine.connect(peer.local_endpoint());
    CHECK(mine.remote_endpoint() == peer.local_endpoint());
    stranger.send_to("strange", mine.local_endpoint());
    peer.send_to("known", mine.local_endpoint());
    std::array<std::byte, 16> room;
    CHECK(text(std::span(room).first(mine.receive(room).size)) == "known");
    mine.send("hi");
    CHECK(peer.receive(room).from == mine.local_endpoint());
    peer.close();
    std::error_code ec;
    mine.send("nobody", ec);
    if (!ec) static_cast<void>(mine.receive(room, ec));
    CHECK(ec == std::errc::connection_refused);
    CHECK_THROWS_AS(static_cast<void>(stranger.remote_endpoint()), std::system_error);
    std::string what;
    CHECK(thrown_by([&] { stranger.send("to whom"); }, &what) ==
          std::errc::destination_address_required);
    CHECK(what.find(stranger.local_endpoint().to_string()) != std::string::npos);
  });
}

TEST_CASE("udp: a message larger than the buffer is cut, and says so") {
  at_worker_counts([] {
    udp_socket a(any_port), b(any_port);
    a.send_to("0123456789", b.local_endpoint());
    a.send_to("next", b.local_endpoint());
    std::array<char, 2> first;
    std::array<char, 2> second;
    const auto cut = b.receive({first, second});
    CHECK(cut.truncated());
    CHECK(cut.size == 4);
    CHECK(cut.full_size == 10);
    CHECK(std::string_view(second.data(), 2) == "23");
    CHECK(b.receive(first).full_size == 4);  // the rest of the first is gone
    CHECK(thrown_by([&] { a.send_to(std::vector<std::byte>(70'000), b.local_endpoint()); }) ==
          std::errc::message_size);
    // More buffers than one call takes: what is beyond them is dropped.
    std::string room(70, '?');
    std::vector<weft::net::mutable_buffer> to;
    for (char& c : room) to.emplace_back(&c, 1);
    a.send_to(std::string(70, 'x'), b.local_endpoint());
    const auto many = b.receive(to);
    CHECK(many.size == 64);
    CHECK(many.truncated());
    CHECK(room == std::string(64, 'x').append("??????"));
  });
}

TEST_CASE("udp: batches") {
  at_worker_counts([] {
    udp_socket a(any_port), b(any_port);
    constexpr std::size_t count = 75;  // more than two system calls
    b.set_receive_buffer(1 << 20);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) texts.push_back("message " + std::to_string(i));
    std::vector<udp_socket::outgoing> out;
    for (const std::string& t : texts) out.push_back({t, b.local_endpoint()});
    CHECK(a.send_batch(out) == count);
    std::vector<std::array<std::byte, 11>> rooms(count + 5);
    std::vector<udp_socket::incoming> in;
    for (auto& r : rooms) in.push_back({r, {}});
    std::size_t got = 0;
    while (got < count) got += b.receive_batch(std::span(in).subspan(got));
    REQUIRE(got == count);
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(in[i].got.from == a.local_endpoint());
      CHECK(in[i].got.full_size == texts[i].size());
      const std::size_t size = std::min<std::size_t>(texts[i].size(), 11);
      CHECK(text(std::span(rooms[i]).first(in[i].got.size)) == texts[i].substr(0, size));
    }
    // The first is waited for.
    auto waiting = weft::spawn([&] { return b.receive_batch(std::span(in).first(4)); });
    weft::this_fiber::sleep_for(1ms);
    a.connect(b.local_endpoint());
    const udp_socket::outgoing one{"x", {}};
    CHECK(a.send_batch({&one, 1}) == 1);
    CHECK(waiting.join() == 1);
    CHECK(a.send_batch({}) == 0);
  });
}

TEST_CASE("udp: a time, a moment, a token, a close and a stop request end a wait") {
  at_worker_counts([] {
    udp_socket s(any_port);
    std::array<std::byte, 8> room;
    std::error_code ec;
    static_cast<void>(s.receive_for(room, 1ms, ec));
    CHECK(ec == std::errc::timed_out);
    CHECK(thrown_by([&] { static_cast<void>(s.receive_until(room, clock::now())); }) ==
          std::errc::timed_out);
    s.set_read_deadline(clock::now() + 1ms);
    static_cast<void>(s.receive(room, ec));
    CHECK(ec == std::errc::timed_out);
    s.set_read_deadline(udp_socket::no_deadline);
    const auto why_it_ends = [&](std::stop_token token) {
      return weft::spawn([&s, token] {
        std::array<std::byte, 8> there;
        std::error_code why;
        static_cast<void>(s.receive(token, there, why));
        return why;
      });
    };
    std::stop_source stop;
    auto first = why_it_ends(stop.get_token());
    auto second = why_it_ends({});
    auto third = why_it_ends({});
    weft::this_fiber::sleep_for(1ms);
    stop.request_stop();
    CHECK(first.join() == std::errc::operation_canceled);
    second.request_stop();
    CHECK(second.join() == std::errc::operation_canceled);
    s.close();
    CHECK(third.join() == std::errc::operation_canceled);
    static_cast<void>(s.receive(room, ec));
    CHECK(ec == std::errc::bad_file_descriptor);
  });
}

TEST_CASE("udp: batches and sends have limits, too") {
  at_worker_counts([] {
    udp_socket a(any_port), b(any_port);
    const endpoint to = b.local_endpoint();
    std::array<std::byte, 8> room;
    udp_socket::incoming place{room, {}};
    const std::span places(&place, 1);
    std::error_code ec;
    CHECK(b.receive_batch_for(places, 1ms, ec) == 0);
    CHECK(ec == std::errc::timed_out);
    CHECK(thrown_by([&] { static_cast<void>(b.receive_batch_until(places, clock::now())); }) ==
          std::errc::timed_out);
    std::stop_source stop;
    auto waiting = weft::spawn([&] {
      std::error_code why;
      static_cast<void>(b.receive_batch(stop.get_token(), places, why));
      return why;
    });
    weft::this_fiber::sleep_for(1ms);
    stop.request_stop();
    CHECK(waiting.join() == std::errc::operation_canceled);
    // What can proceed does so, whatever the limit says.
    a.send_to_for("1", to, 0s);
    a.send_to_until("2", to, clock::now() - 1h, ec);
    CHECK(!ec);
    a.send_to(stop.get_token(), "3", to);
    const udp_socket::outgoing one{"4", to};
    CHECK(a.send_batch_for({&one, 1}, 0s) == 1);
    CHECK(a.send_batch(stop.get_token(), {&one, 1}, ec) == 1);
    CHECK(a.send_batch_until({&one, 1}, clock::now()) == 1);
    a.connect(to);
    a.send_for("5", 0s);
    a.send(stop.get_token(), "6", ec);
    a.send_until("7", clock::now());
    CHECK(!ec);
    for (int i = 0; i < 9; ++i) CHECK(b.receive_batch_for(places, 1h) == 1);
    CHECK(room[0] == std::byte{'7'});
  });
}

TEST_CASE("udp: several receivers share a socket; each message reaches one of them") {
  at_worker_counts([] {
    udp_socket in(any_port), out(any_port);
    constexpr int messages = 60;
    std::atomic<int> received{0};
    std::vector<weft::fiber<void>> receivers;
    for (int i = 0; i < 3; ++i)
      receivers.push_back(weft::spawn([&] {
        std::array<std::byte, 8> room;
        std::error_code ec;
        while (!ec) {
          static_cast<void>(in.receive(room, ec));
          if (!ec) received.fetch_add(1);
        }
      }));
    for (int i = 0; i < messages; ++i) {
      out.send_to("x", in.local_endpoint());
      if (i % 7 == 0) weft::this_fiber::yield();
    }
    yield_until([&] { return received.load() == messages; });
    in.close();
    for (auto& r : receivers) r.join();
  });
}

TEST_CASE("udp: on plain threads, adopted, both families, a shared port, bad places") {
  const int number = ::socket(AF_INET, SOCK_DGRAM, 0);
  udp_socket adopted = udp_socket::adopt(number);
  udp_socket server(any_port);
  std::thread answers([&] {
    std::array<std::byte, 8> room;
    const auto query = server.receive(room);
    server.send_to("pong", query.from);
  });
  adopted.send_to("ping", server.local_endpoint());
  std::array<std::byte, 8> room;
  CHECK(adopted.receive_for(room, 1h).size == 4);
  answers.join();
  CHECK(thrown_by([] { static_cast<void>(udp_socket::adopt(-1)); }) ==
        std::errc::bad_file_descriptor);
  const int stream = ::socket(AF_INET, SOCK_STREAM, 0);
  CHECK(thrown_by([&] { static_cast<void>(udp_socket::adopt(stream)); }) ==
        std::errc::wrong_protocol_type);
  ::close(stream);
  std::string what;
  CHECK(thrown_by([&] { udp_socket again(server.local_endpoint()); }, &what) ==
        std::errc::address_in_use);
  CHECK(what.find(server.local_endpoint().to_string()) != std::string::npos);
  udp_socket one(any_port, {.sharing = weft::net::port_sharing::spread});
  udp_socket two(one.local_endpoint(), {.sharing = weft::net::port_sharing::spread});
  std::error_code ec;
  udp_socket both = udp_socket::open({"::", 0}, {.stack = weft::net::ip_stack::dual}, ec);
  if (ec) return;  // no IPv6 here
  one.send_to("4", {"127.0.0.1", both.local_endpoint().port()});
  CHECK(both.receive(room).from.unmapped().port() == one.local_endpoint().port());
}

namespace {

// As /proc/self/net/igmp6 writes ff02::7777.
bool loopback_hears_7777() {
  std::ifstream groups("/proc/self/net/igmp6");
  for (std::string line; std::getline(groups, line);)
    if (line.find("lo ") != std::string::npos &&
        line.find(" ff020000000000000000000000007777 ") != std::string::npos)
      return true;
  return false;
}

}  // namespace

TEST_CASE("udp: a group's zone is the interface that is joined") {
  std::error_code ec;
  udp_socket s = udp_socket::open({"::", 0}, ec);
  if (ec || !std::ifstream("/proc/self/net/igmp6")) {
    MESSAGE("skipped: no IPv6 here");
    return;
  }
  const endpoint group("ff02::7777%lo", 0);
  CHECK(thrown_by([&] { s.join_group(group, 9999); }) == std::errc::invalid_argument);
  s.join_group(group);
  CHECK(loopback_hears_7777());
  s.leave_group(group);
  CHECK_FALSE(loopback_hears_7777());
  s.join_group(group, 1);
  CHECK(loopback_hears_7777());
}

TEST_CASE("udp: what is set for groups holds for IPv4's on a socket of both families") {
  std::error_code ec;
  udp_socket both = udp_socket::open({"::", 0}, {.stack = weft::net::ip_stack::dual}, ec);
  if (ec) {
    MESSAGE("skipped: no IPv6 here");
    return;
  }
  both.set_multicast_hops(4);
  both.set_multicast_loop(weft::net::multicast_loop::off);
  both.set_multicast_interface(1);
  const auto of_v4 = [&](int option) {
    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(both.native_handle(), IPPROTO_IP, option, &value, &size) == 0);
    return value;
  };
  CHECK(of_v4(IP_MULTICAST_TTL) == 4);
  CHECK(of_v4(IP_MULTICAST_LOOP) == 0);
  udp_socket one({"::", 0});
  one.set_multicast_hops(4);
  CHECK(thrown_by([&] { both.set_multicast_interface(99999); }));
}

TEST_CASE("udp: a multicast group on the loopback interface") {
  at_worker_counts([] {
    udp_socket in({"0.0.0.0", 0}, {.reuse = weft::net::address_reuse::on});
    const endpoint group("239.255.77.1", in.local_endpoint().port());
    std::error_code ec;
    udp_socket out(any_port);
    try {
      in.join_group(group, 1);  // lo
      out.set_multicast_interface(1);
      out.set_multicast_hops(0);
      CHECK(thrown_by([&] { out.set_multicast_hops(-1); }) == std::errc::invalid_argument);
      CHECK(thrown_by([&] { out.set_multicast_hops(256); }) == std::errc::invalid_argument);
      out.set_multicast_loop(weft::net::multicast_loop::on);
      out.set_broadcast(weft::net::broadcast::on);
    } catch (const std::system_error& e) {
      MESSAGE("skipped: no multicast here (" << e.what() << ")");
      return;
    }
    out.send_to("all", group, ec);
    if (ec) {
      MESSAGE("skipped: no multicast here (" << ec.message() << ")");
      return;
    }
    std::array<std::byte, 8> room;
    CHECK(in.receive(room).size == 3);
    in.leave_group(group, 1);
    CHECK_THROWS_AS(in.leave_group(group, 1), std::system_error);
  });
}

TEST_CASE(
    "messages for a fiber that is busy do not wake the sleeper in the poller each [SLEEP-5]") {
  constexpr int messages = 50'000;
  weft::options two_workers;
  two_workers.workers = 2;
  weft::runtime rt(two_workers);
  std::atomic<bool> first{false}, sent{false};
  std::uint64_t polls = 0;
  std::chrono::steady_clock::duration took{};
  auto reader = rt.spawn([&] {
    udp_socket socket(any_port);
    const int number = socket.native_handle();
    std::thread sender([&, to = socket.local_endpoint()] {
      udp_socket mine(any_port);
      mine.connect(to);
      mine.send("first");
      while (!first.load(std::memory_order_acquire)) std::this_thread::yield();
      for (int i = 0; i < messages; ++i) mine.send("next");
      sent.store(true, std::memory_order_release);
    });
    std::array<std::byte, 16> room;
    CHECK(socket.receive(room).size == 5);  // from now on the poller watches
    const auto begin = std::chrono::steady_clock::now();
    polls = weft::metrics(rt).polls;
    first.store(true, std::memory_order_release);
    while (!sent.load(std::memory_order_acquire))  // what has come makes room for an event more
      while (::recv(number, room.data(), room.size(), MSG_DONTWAIT) > 0) continue;
    polls = weft::metrics(rt).polls - polls;
    took = std::chrono::steady_clock::now() - begin;
    sender.join();
  });
  reader.join();
  // One each millisecond, and one for each round of the monitor, which has nothing to do.
  CHECK(polls <= 200 + 3 * static_cast<std::uint64_t>(took / 1ms));
}
