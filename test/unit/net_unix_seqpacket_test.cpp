// SPDX-License-Identifier: BSL-1.0
// unit/net_unix_seqpacket_test.cpp - connected Unix sockets whose messages stay whole: boundaries,
// the end, truncation, slow peers, limits, descriptors, listeners.
#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/net/unix_seqpacket.hpp>

#include "support/net.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::net::unix_endpoint;
using weft::net::unix_listener;
using weft::net::unix_seqpacket;
using weft::net::unix_seqpacket_listener;
using weft::net::unix_stream;

namespace {

unix_endpoint name(const char* what) {
  return unix_endpoint("@weft-seqpacket-" + std::to_string(::getpid()) + what);
}

std::string receive_text(unix_seqpacket& s) {
  std::array<char, 64> room;
  const auto got = s.receive_for(room, 1h);  // a limit for hangs
  return std::string(room.data(), got.size);
}

}  // namespace

TEST_CASE("seqpacket: messages stay whole and in order; the end is told from them") {
  at_worker_counts([] {
    unix_seqpacket_listener listener(name("echo"));
    CHECK(listener.local_endpoint() == name("echo"));
    auto server = weft::spawn([&] {
      unix_seqpacket s = listener.accept();
      std::array<char, 64> room;
      while (const auto got = s.receive(room)) s.send({"re: ", std::span(room).first(got.size)});
      CHECK(s.local_endpoint() == name("echo"));
    });
    unix_seqpacket s(name("echo"));
    CHECK(s.remote_endpoint() == name("echo"));
    CHECK(s.local_endpoint().is_unnamed());
    CHECK(s.peer_credentials().process == ::getpid());
    s.send("one");
    s.send({"t", "w", "o"});
    CHECK(receive_text(s) == "re: one");
    CHECK(receive_text(s) == "re: two");
    CHECK(thrown_by([&] { s.send(""); }) == std::errc::invalid_argument);
    s.close();
    server.join();
    std::error_code ec;
    s.send("x", ec);
    CHECK(ec == std::errc::bad_file_descriptor);
  });
}

TEST_CASE("seqpacket: a message larger than the buffer is cut, and says so") {
  at_worker_counts([] {
    auto both = unix_seqpacket::pair();
    auto &a = both.first, &b = both.second;
    a.send("0123456789");
    a.send("next");
    std::array<char, 4> room;
    const auto cut = b.receive(room);
    CHECK(cut.truncated());
    CHECK(cut.size == 4);
    CHECK(cut.full_size == 10);
    CHECK(receive_text(b) == "next");
    a.close();
    const auto end = b.receive(room);
    CHECK_FALSE(end);
    CHECK_FALSE(end.truncated());
    std::string what;
    CHECK(thrown_by([&] { b.send("nobody"); }, &what) == std::errc::broken_pipe);
    CHECK(what.find("send a message") != std::string::npos);
  });
}

TEST_CASE("seqpacket: more buffers than one call takes: nothing is sent, or the rest is dropped") {
  at_worker_counts([] {
    auto both = unix_seqpacket::pair();
    auto &a = both.first, &b = both.second;
    const std::string text(70, 'x');
    std::string room(70, '?');
    std::vector<weft::net::const_buffer> from;
    std::vector<weft::net::mutable_buffer> to;
    for (std::size_t i = 0; i < text.size(); ++i) {
      from.emplace_back(&text[i], 1);
      to.emplace_back(&room[i], 1);
    }
    const int number[] = {STDERR_FILENO};
    CHECK(thrown_by([&] { a.send(from); }) == std::errc::message_size);
    CHECK(thrown_by([&] { a.send_descriptors(from, number); }) == std::errc::message_size);
    a.send(text);
    const auto cut = b.receive(to);
    CHECK(cut.size == 64);
    CHECK(cut.full_size == 70);
    CHECK(cut.truncated());
    CHECK(room == std::string(64, 'x').append("??????"));
    a.send_descriptors(text, number);
    std::array<weft::net::received_descriptor, 1> places;
    const auto with = b.receive_descriptors(to, places);
    CHECK(with.size == 64);
    CHECK(with.truncated());
    CHECK(with.descriptors == 1);
  });
}

TEST_CASE("seqpacket: a slow receiver makes the sender wait, and nothing is lost") {
  at_worker_counts([] {
    auto both = unix_seqpacket::pair();
    auto &a = both.first, &b = both.second;
    constexpr int messages = 2000;
    const auto data = pattern(1000);  // more than the socket's buffer in sum
    auto sender = weft::spawn([&a = a, &data] {
      for (int i = 0; i < messages; ++i) a.send(std::span(data).first(1 + i % data.size()));
      a.close();
    });
    std::array<std::byte, 1000> room;
    int received = 0;
    while (const auto got = b.receive(room)) {
      CHECK(got.full_size == 1 + received % data.size());
      ++received;
      if (received % 100 == 0) weft::this_fiber::sleep_for(100us);
    }
    CHECK(received == messages);
    sender.join();
  });
}

TEST_CASE("seqpacket: a time, a moment, a token, a close and a stop request end a wait") {
  at_worker_counts([] {
    auto both = unix_seqpacket::pair();
    auto& b = both.second;
    std::array<std::byte, 8> room;
    std::error_code ec;
    static_cast<void>(b.receive_for(room, 1ms, ec));
    CHECK(ec == std::errc::timed_out);
    CHECK(thrown_by([&b = b, &room] { static_cast<void>(b.receive_until(room, clock::now())); }) ==
          std::errc::timed_out);
    b.set_read_deadline(clock::now() + 1ms);
    static_cast<void>(b.receive(room, ec));
    CHECK(ec == std::errc::timed_out);
    b.set_deadline(unix_seqpacket::no_deadline);
    const auto why_it_ends = [&b = b](std::stop_token token) {
      return weft::spawn([&b, token] {
        std::array<std::byte, 8> there;
        std::error_code why;
        static_cast<void>(b.receive(token, there, why));
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
    b.close();
    CHECK(third.join() == std::errc::operation_canceled);
    // A sender, whose peer reads nothing.
    auto others = unix_seqpacket::pair();
    auto &c = others.first, &d = others.second;
    const auto much = pattern(10'000);
    ec.clear();
    while (!ec) c.send_for(much, 1ms, ec);
    CHECK(ec == std::errc::timed_out);
    CHECK(thrown_by([&c = c, &stop, &much] { c.send(stop.get_token(), much); }) ==
          std::errc::operation_canceled);
    CHECK(d.receive(room).truncated());
  });
}

TEST_CASE("seqpacket: descriptors travel with a message") {
  at_worker_counts([] {
    auto both = unix_seqpacket::pair();
    auto &a = both.first, &b = both.second;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    a.send_descriptors("0123456789", ends);
    a.send_descriptors("plain", ends);
    a.send("after");
    std::array<char, 4> room;
    std::array<weft::net::received_descriptor, 1> got;
    const auto with = b.receive_descriptors(room, got);
    CHECK(with.size == 4);
    CHECK(with.truncated());
    CHECK(with.descriptors == 1);
    CHECK(with.descriptors_lost);
    CHECK((::fcntl(got[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(receive_text(b) == "plain");
    CHECK(receive_text(b) == "after");
    std::error_code ec;
    a.send_descriptors("", ends, ec);
    CHECK(ec == std::errc::invalid_argument);
    a.close();
    CHECK_FALSE(b.receive_descriptors(room, got));
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

TEST_CASE("seqpacket: sending and receiving descriptors end at every kind of limit") {
  at_worker_counts([] {
    auto both = unix_seqpacket::pair();
    auto &a = both.first, &b = both.second;
    std::stop_source stop;
    stop.request_stop();
    const auto over = [] { return std::chrono::steady_clock::now() - 1ms; };
    std::array<char, 8> room;
    std::array<weft::net::received_descriptor, 1> got;
    std::error_code ec;
    CHECK_FALSE(b.receive_descriptors_for(room, got, 1ms, ec));
    CHECK(ec == std::errc::timed_out);
    CHECK_FALSE(b.receive_descriptors_until(room, got, over(), ec));
    CHECK(ec == std::errc::timed_out);
    CHECK_FALSE(b.receive_descriptors(stop.get_token(), room, got, ec));
    CHECK(ec == std::errc::operation_canceled);
    CHECK(thrown_by([&] { static_cast<void>(b.receive_descriptors_for(room, got, 1ms)); }) ==
          std::errc::timed_out);
    const auto much = pattern(10'000);
    const int number = STDERR_FILENO;
    ec.clear();
    int sent = -1;
    for (; !ec; ++sent) a.send_descriptors_for(much, {&number, 1}, 1ms, ec);
    CHECK(ec == std::errc::timed_out);
    a.send_descriptors_until(much, {&number, 1}, over(), ec);
    CHECK(ec == std::errc::timed_out);
    a.send_descriptors(stop.get_token(), much, {&number, 1}, ec);
    CHECK(ec == std::errc::operation_canceled);
    CHECK(thrown_by([&] { a.send_descriptors_until(much, {&number, 1}, over()); }) ==
          std::errc::timed_out);
    CHECK(thrown_by([&] { a.send_descriptors(stop.get_token(), much, {&number, 1}); }) ==
          std::errc::operation_canceled);
    for (; sent > 0; --sent)
      CHECK(b.receive_descriptors(stop.get_token(), room, got).descriptors == 1);
    CHECK_FALSE(b.receive_descriptors_for(room, got, 1ms, ec));
    CHECK(ec == std::errc::timed_out);
  });
}

TEST_CASE("seqpacket: on plain threads, adopted, and what is of another kind") {
  auto both = unix_seqpacket::pair();
  auto &a = both.first, &b = both.second;
  std::thread other([&b = b] { b.send(receive_text(b)); });
  a.send("thread");
  CHECK(receive_text(a) == "thread");
  other.join();
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
  CHECK(thrown_by([&] { static_cast<void>(unix_stream::adopt(ends[0])); }) ==
        std::errc::wrong_protocol_type);
  CHECK(thrown_by([&] { static_cast<void>(unix_seqpacket_listener::adopt(ends[0])); }) ==
        std::errc::invalid_argument);
  unix_seqpacket x = unix_seqpacket::adopt(ends[0]), y = unix_seqpacket::adopt(ends[1]);
  x.send("adopted");
  CHECK(receive_text(y) == "adopted");
  const int listening = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
  sockaddr_storage at;
  const auto size = static_cast<socklen_t>(name("adopted").to_native(at));
  REQUIRE(::bind(listening, reinterpret_cast<sockaddr*>(&at), size) == 0);
  REQUIRE(::listen(listening, 1) == 0);
  auto listener = unix_seqpacket_listener::adopt(listening);
  std::error_code ec;
  CHECK_FALSE(unix_stream::connect(name("adopted"), ec).is_open());
  CHECK(ec == std::errc::connection_refused);  // abstract names are apart by kind
  unix_seqpacket client = unix_seqpacket::connect_for(name("adopted"), 1h);
  CHECK(listener.accept_for(1h).is_open());
  CHECK(thrown_by([&] { static_cast<void>(listener.accept_until(clock::now())); }) ==
        std::errc::timed_out);
}

TEST_CASE("seqpacket listener: a file is replaced only if nobody listens, in either kind") {
  at_worker_counts([] {
    const folder place;
    const unix_endpoint at = place / "socket";
    const auto path = place.path / "socket";
    {
      unix_listener stream(at);
      CHECK(thrown_by([&] { unix_seqpacket_listener other(at); }) == std::errc::address_in_use);
      CHECK(thrown_by([&] { unix_seqpacket other(at); }) == std::errc::wrong_protocol_type);
    }
    CHECK_FALSE(std::filesystem::exists(path));
    {
      unix_seqpacket_listener left(at, {.unlink = weft::net::unlink_policy::keep});
    }
    CHECK(std::filesystem::exists(path));
    unix_seqpacket_listener listener(at);
    CHECK(thrown_by([&] { unix_listener stream(at); }) == std::errc::address_in_use);
    std::error_code ec;
    std::stop_source stop;
    stop.request_stop();
    CHECK_FALSE(listener.accept(stop.get_token(), ec).is_open());
    CHECK(ec == std::errc::operation_canceled);
    listener.close();
    CHECK_FALSE(std::filesystem::exists(path));
  });
}
